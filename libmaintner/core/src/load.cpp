// How it works: reading a piece can be done beside all else. Applying what it says is in the order of the log, for
// GitHub's part and git's part each; these two know nothing of each other. Every thread does what is there to be done,
// applying first.
#include "load.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include "threads.h"

namespace maintner {

namespace {

class Loading {
 public:
  Loading(std::vector<LogPiece>& pieces, LogSpace& space, GithubApplier& github, GitApplier& git, unsigned threads)
      : pieces_(pieces),
        space_(space),
        github_(github),
        git_(git),
        is_read_(pieces.size()),
        left_(pieces.size(), 2),
        ahead_(2 * threads) {}

  void work() {
    std::unique_lock lock(mutex_);
    while (!failure_ && (git_done_ < pieces_.size() || github_done_ < pieces_.size())) {
      if (!applies(lock, git_busy_, git_done_, [this](LogPiece& piece) { git_.apply(piece.digest); }) &&
          !applies(lock, github_busy_, github_done_, [this](LogPiece& piece) { apply_github(piece.digest); }) &&
          !reads(lock))
        something_done_.wait(lock);
    }
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  template <class Apply>
  bool applies(std::unique_lock<std::mutex>& lock, bool& busy, std::size_t& done, const Apply& apply) {
    if (busy || done == follow_) return false;
    busy = true;
    LogPiece& piece = pieces_[done];
    does(lock, [&] { apply(piece); });
    if (--left_[done] == 0) forget(piece.digest);
    ++done;
    busy = false;
    return true;
  }

  bool reads(std::unique_lock<std::mutex>& lock) {
    // Not further ahead than is needed: what is read takes memory until it is applied.
    if (next_read_ == pieces_.size() || next_read_ > std::min(git_done_, github_done_) + ahead_) return false;
    const std::size_t index = next_read_++;
    LogPiece& piece = pieces_[index];
    does(lock, [&] { read_piece(space_, piece); });
    is_read_[index] = true;
    try {
      for (; !failure_ && follow_ < pieces_.size() && is_read_[follow_]; ++follow_) check_begin(follow_);
    } catch (const std::exception&) {
      failure_ = std::current_exception();
    }
    return true;
  }

  /// A record may have gone on beyond what was thought to be the end of its piece.
  void check_begin(std::size_t index) {
    if (index == 0 || pieces_[index - 1].file_number != pieces_[index].file_number) return;
    LogPiece& piece = pieces_[index];
    if (pieces_[index - 1].real_end == piece.begin) return;
    forget(piece.digest);
    piece.torn.reset();
    piece.begin = pieces_[index - 1].real_end;
    piece.end = std::max(piece.end, piece.begin);
    read_piece(space_, piece);
  }

  template <class Deed>
  void does(std::unique_lock<std::mutex>& lock, const Deed& deed) {
    lock.unlock();
    std::exception_ptr failure;
    try {
      deed();
    } catch (const std::exception&) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    something_done_.notify_all();
  }

  void apply_github(Digest& digest) {
    github_.apply(digest.github, github_faults_);
    github_faults_.swap(digest.github_faults);
  }
  static void forget(Digest& digest) {
    Digest rest;
    rest.mutations = digest.mutations;
    rest.faults = std::move(digest.faults);
    rest.github_faults = std::move(digest.github_faults);
    digest = std::move(rest);
  }

  std::vector<LogPiece>& pieces_;
  LogSpace& space_;
  GithubApplier& github_;
  GitApplier& git_;
  std::mutex mutex_;
  std::condition_variable something_done_;
  std::exception_ptr failure_;
  std::vector<bool> is_read_;
  std::vector<int> left_;  ///< by how many a piece is still to be applied
  const std::size_t ahead_;
  std::size_t next_read_ = 0, follow_ = 0;  ///< follow_: up to here pieces are read, and known to follow each other
  std::size_t git_done_ = 0, github_done_ = 0;
  bool git_busy_ = false, github_busy_ = false;
  std::vector<Digest::Fault> github_faults_;
};

}  // namespace

void load_pieces(std::vector<LogPiece>& pieces, LogSpace& space, GithubApplier& github, GitApplier& git,
                 unsigned threads) {
  Loading loading(pieces, space, github, git, threads);
  in_threads(static_cast<unsigned>(std::min<std::size_t>(threads, pieces.size())), [&loading] { loading.work(); });
  loading.rethrow();
}

}  // namespace maintner
