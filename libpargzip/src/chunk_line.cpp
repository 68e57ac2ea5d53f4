#include "chunk_line.h"

#include <cstring>

namespace pargzip {

ChunkLine::ChunkLine(const WriterOptions& options, Deliver deliver)
    : thread_count_(threads_for(options.threads)),
      chunk_size_(options.chunk_size),
      level_(options.level),
      sized_(!options.compat),
      deliver_(std::move(deliver)),
      chunks_(thread_count_ == 1 ? 1 : 2 * std::size_t{thread_count_}) {}

ChunkLine::~ChunkLine() { stop(); }

void ChunkLine::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  queue_.clear();
  queued_.notify_all();
}

ChunkLine::Chunk& ChunkLine::open_chunk() {
  if (open_size_ == 0) {
    std::unique_lock lock(mutex_);
    while (head_ - tail_ == chunks_.size()) deliver_oldest(lock);
  }
  return at(head_);
}

void ChunkLine::append(std::span<const char> input) {
  if (input.empty()) return;
  Chunk& chunk = open_chunk();
  chunk.input.reserve(chunk_size_);
  std::memcpy(chunk.input.data() + open_size_, input.data(), input.size());
  open_size_ += input.size();
}

void ChunkLine::close_chunk() {
  Chunk& chunk = open_chunk();
  chunk.input_size = open_size_;
  if (thread_count_ == 1) {
    open_size_ = 0;
    compress_here({chunk.input.data(), chunk.input_size});
    return;
  }
  std::unique_lock lock(mutex_);
  chunk.number = head_;
  chunk.done = false;
  chunk.error = nullptr;
  queue_.push_back(&chunk);
  start_thread_if_needed();
  ++head_;
  open_size_ = 0;
  queued_.notify_one();
  while (tail_ < head_ && at(tail_).done) deliver_oldest(lock);
}

void ChunkLine::whole_chunk(std::span<const char> input) {
  if (thread_count_ == 1) {
    compress_here(input);
    return;
  }
  append(input);
  close_chunk();
}

void ChunkLine::drain() {
  // A single chunk needs no thread.
  if (head_ == 0 && open_size_ > 0) {
    const std::size_t size = open_size_;
    open_size_ = 0;
    compress_here({at(0).input.data(), size});
    return;
  }
  if (open_size_ > 0) close_chunk();
  std::unique_lock lock(mutex_);
  while (tail_ < head_) deliver_oldest(lock);
}

void ChunkLine::compress_here(std::span<const char> input) {
  if (!own_maker_) own_maker_ = std::make_unique<MemberMaker>(level_, sized_);
  deliver_(own_maker_->make(input, here_++, at(head_).output));
}

void ChunkLine::deliver_oldest(std::unique_lock<std::mutex>& lock) {
  Chunk& chunk = at(tail_);
  done_.wait(lock, [&] { return chunk.done; });
  lock.unlock();
  if (chunk.error) std::rethrow_exception(chunk.error);
  deliver_(chunk.member);
  ++tail_;
  lock.lock();
}

void ChunkLine::start_thread_if_needed() {
  if (idle_ >= queue_.size() || threads_.size() >= thread_count_) return;
  threads_.start([this] { work(); });
}

void ChunkLine::work() {
  std::unique_ptr<MemberMaker> maker;
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    queued_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (stopping_) return;
    Chunk& chunk = *queue_.front();
    queue_.pop_front();
    lock.unlock();
    try {
      if (!maker) maker = std::make_unique<MemberMaker>(level_, sized_);
      chunk.member = maker->make({chunk.input.data(), chunk.input_size}, chunk.number, chunk.output);
    } catch (const std::exception&) {
      chunk.error = std::current_exception();
    }
    lock.lock();
    chunk.done = true;
    done_.notify_one();
  }
}

}  // namespace pargzip
