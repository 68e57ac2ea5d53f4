// The line: one thread walks through the file and fills a ring of 2 x threads slots in turn, with output or with
// members; those that have members are inflated by whichever thread is free; the caller takes what is ready, in turn. A
// slot belongs to the walking thread while it is free, to an inflating one while it is queued, and to the caller once
// it is ready.
#include "pieces.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "threads.h"

namespace pargzip {
namespace {

class OneThread final : public Pieces {
 public:
  explicit OneThread(Source source) : walker_(std::move(source)) {}

  Piece& next() override {
    walker_.next(piece_);
    if (piece_.input_size > 0) inflate_whole(piece_, *inflater_);
    return piece_;
  }

 private:
  Walker walker_;
  Piece piece_;
  std::unique_ptr<engine::BlockInflater> inflater_ = engine::make_block_inflater();
};

class Line final : public Pieces {
 public:
  Line(Source source, unsigned threads)
      : thread_count_(threads),
        slots_(2 * std::size_t{threads}),
        walker_([this, source = std::move(source)](std::span<char> into) { return stopping_ ? 0 : source(into); }) {}

  ~Line() override {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    free_.notify_all();
    queued_.notify_all();
  }

  Piece& next() override {
    std::unique_lock lock(mutex_);
    if (walking_.size() == 0) {
      walking_.start([this] { walk(); });
    } else {
      slots_[taken_].state = State::free;
      taken_ = (taken_ + 1) % slots_.size();
      free_.notify_one();
    }
    Slot& slot = slots_[taken_];
    ready_.wait(lock, [&] { return slot.state == State::ready; });
    return slot.piece;
  }

 private:
  enum class State { free, queued, ready };
  struct Slot {
    Piece piece;
    State state = State::free;
  };

  void walk() {
    for (std::size_t at = 0;; at = (at + 1) % slots_.size()) {
      Slot& slot = slots_[at];
      {
        std::unique_lock lock(mutex_);
        free_.wait(lock, [&] { return stopping_ || slot.state == State::free; });
        if (stopping_) return;
      }
      walker_.next(slot.piece);
      const bool last = slot.piece.last;
      const std::lock_guard lock(mutex_);
      if (slot.piece.input_size == 0 || !queue(slot)) {
        slot.state = State::ready;
        ready_.notify_one();
      }
      if (last || slot.piece.last) return;
    }
  }

  /// False if there is no thread to inflate it; the piece then has the error.
  bool queue(Slot& slot) noexcept {
    try {
      queue_.push_back(&slot);
      slot.state = State::queued;
      if (idle_ < queue_.size() && inflating_.size() < thread_count_) inflating_.start([this] { work(); });
    } catch (const std::exception&) {
      if (inflating_.size() > 0 && slot.state == State::queued) return true;
      queue_.clear();
      slot.piece.input_size = 0;
      slot.piece.error = std::current_exception();
      slot.piece.last = true;
      return false;
    }
    queued_.notify_one();
    return true;
  }

  void work() {
    std::unique_ptr<engine::BlockInflater> inflater;
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      queued_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (stopping_) return;
      Slot& slot = *queue_.front();
      queue_.pop_front();
      lock.unlock();
      try {
        if (!inflater) inflater = engine::make_block_inflater();
        inflate_whole(slot.piece, *inflater);
      } catch (const std::exception&) {
        slot.piece.input_size = 0;
        slot.piece.error = std::current_exception();
        slot.piece.last = true;
      }
      lock.lock();
      slot.state = State::ready;
      ready_.notify_one();
    }
  }

  const unsigned thread_count_;
  std::vector<Slot> slots_;
  std::size_t taken_ = 0;
  std::mutex mutex_;
  std::condition_variable free_, queued_, ready_;
  std::deque<Slot*> queue_;
  std::size_t idle_ = 0;
  std::atomic<bool> stopping_ = false;
  Walker walker_;
  // The walking thread starts the others, so it has to end first.
  Threads inflating_, walking_;
};

}  // namespace

std::unique_ptr<Pieces> make_pieces(Source source, unsigned threads) {
  if (threads == 1) return std::make_unique<OneThread>(std::move(source));
  return std::make_unique<Line>(std::move(source), threads);
}

}  // namespace pargzip
