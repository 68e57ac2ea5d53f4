// How it works: files are collected into batches, which threads take from a queue one by one, so that a lock is
// taken once for many files. Each batch has a number; of several failures that with the lowest counts, and batches
// after it are dropped. Invariant: two files of one path are never in work at once (the caller asks pending()), so the
// order in which threads get on does not matter.
#include "file_maker.h"

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <vector>

namespace tarutil {

namespace {

constexpr std::size_t kBatchBytes = 256 * 1024;
constexpr std::size_t kBatchFiles = 256;
/// So that few descriptors are held open by what waits.
constexpr std::size_t kBatchDirectories = 32;
/// When so many paths are remembered, all files are waited for and the paths forgotten.
constexpr std::size_t kMaxPending = 8192;

struct Batch {
  std::uint64_t number = 0;
  std::unique_ptr<char[]> bytes = std::make_unique_for_overwrite<char[]>(kBatchBytes);
  std::size_t used = 0, directories = 0;
  std::vector<FileJob> jobs;

  void clear() {
    used = directories = 0;
    jobs.clear();
  }
};

using BatchPointer = std::unique_ptr<Batch>;

}  // namespace

struct FileMaker::Impl {
  explicit Impl(unsigned threads) : spare(2 * threads + 2) {
    try {
      for (unsigned i = 0; i < threads; ++i) workers.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // The system gives no more of them: it goes slower, or here.
    }
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      queue.clear();
    }
    changed.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void work() {
    std::uint64_t counter = 0;
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      make_front(lock, counter);
    }
  }

  void make_front(std::unique_lock<std::mutex>& lock, std::uint64_t& counter) {
    BatchPointer front = std::move(queue.front());
    queue.pop_front();
    const bool wanted = !failure || front->number < failed_batch;
    lock.unlock();
    if (wanted) make(*front, counter);
    front->clear();
    lock.lock();
    unfinished.erase(front->number);
    spares.push_back(std::move(front));
    done.notify_all();
  }

  /// The caller's thread makes files too while it would have to wait.
  template <class Condition>
  void help_until(std::unique_lock<std::mutex>& lock, Condition condition) {
    while (!condition()) {
      if (queue.empty()) {
        done.wait(lock);
      } else {
        make_front(lock, own_counter);
      }
    }
  }

  void make(const Batch& batch, std::uint64_t& counter) {
    std::vector<FinishedFile> finished;
    std::optional<FileFailure> failed;
    for (const FileJob& job : batch.jobs) {
      try {
        const std::string_view content(batch.bytes.get() + job.at, job.size);
        finished.push_back(make_file(job.directory->get(), job.path, content, job.meta, counter));
      } catch (const PathError& error) {
        failed.emplace(job.name, error);
        break;
      } catch (const std::bad_alloc&) {
        failed.emplace(job.name, PathError("open", job.path, ENOMEM));
        break;
      }
    }
    const std::lock_guard lock(mutex);
    for (const FinishedFile& file : finished) note(file);
    if (!failed || (failure && failed_batch < batch.number)) return;
    failure.emplace(std::move(*failed));
    failed_batch = batch.number;
  }

  void note(const FinishedFile& file) {
    made.push_back(file.id);
    if (!file.has_time) ++times_not_set;
  }

  void submit() {
    if (batch->jobs.empty()) return;
    batch->number = ++batches;
    if (workers.empty()) {
      make(*batch, own_counter);
      batch->clear();
      pending.clear();
      if (failure) throw FileFailure(*failure);
      return;
    }
    std::unique_lock lock(mutex);
    unfinished.insert(batch->number);
    queue.push_back(std::move(batch));
    changed.notify_one();
    help_until(lock, [this] { return !spares.empty() || spare > 0 || failure; });
    if (spares.empty()) {
      if (spare > 0) --spare;
      batch = std::make_unique<Batch>();
    } else {
      batch = std::move(spares.back());
      spares.pop_back();
    }
    if (failure) throw_first(lock);
  }

  // When nothing before it can fail any more.
  void throw_first(std::unique_lock<std::mutex>& lock) {
    help_until(lock, [this] { return unfinished.empty(); });
    throw FileFailure(*failure);
  }

  void wait() {
    submit();
    std::unique_lock lock(mutex);
    help_until(lock, [this] { return unfinished.empty(); });
    pending.clear();
    if (failure) throw FileFailure(*failure);
  }

  // The caller's.
  BatchPointer batch = std::make_unique<Batch>();
  std::uint64_t batches = 0, own_counter = 0;
  std::unordered_set<std::string> pending;
  std::size_t hashed = 0;  // of `made`, in `ids`
  std::unordered_set<FileId, HashFileId> ids;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed, done;
  std::deque<BatchPointer> queue;
  std::vector<BatchPointer> spares;
  std::size_t spare;  // batches that may be made yet
  std::set<std::uint64_t> unfinished;
  std::optional<FileFailure> failure;
  std::uint64_t failed_batch = 0;
  std::vector<FileId> made;
  std::uint64_t times_not_set = 0;
  bool stopping = false;
  std::vector<std::thread> workers;
};

FileMaker::FileMaker(unsigned threads) : impl_(std::make_unique<Impl>(threads)) {}
FileMaker::~FileMaker() = default;

std::span<char> FileMaker::room(std::size_t size) {
  if (kBatchBytes - impl_->batch->used < size) impl_->submit();
  return {impl_->batch->bytes.get() + impl_->batch->used, size};
}

void FileMaker::add(FileJob job) {
  Batch& batch = *impl_->batch;
  job.at = batch.used;
  batch.used += job.size;
  if (batch.jobs.empty() || batch.jobs.back().directory != job.directory) ++batch.directories;
  impl_->pending.insert(job.path);
  batch.jobs.push_back(std::move(job));
  const bool full = batch.jobs.size() >= kBatchFiles || batch.directories >= kBatchDirectories;
  if (impl_->pending.size() >= kMaxPending) {
    impl_->wait();
  } else if (full || impl_->workers.empty()) {
    impl_->submit();
  }
}

bool FileMaker::pending(const std::string& path) const { return impl_->pending.contains(path); }

void FileMaker::wait() { impl_->wait(); }

bool FileMaker::has_made(const FileId& id) {
  const std::lock_guard lock(impl_->mutex);
  for (; impl_->hashed < impl_->made.size(); ++impl_->hashed) impl_->ids.insert(impl_->made[impl_->hashed]);
  return impl_->ids.contains(id);
}

std::uint64_t FileMaker::times_not_set() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->times_not_set;
}

void FileMaker::also_made(const FinishedFile& file) {
  const std::lock_guard lock(impl_->mutex);
  impl_->note(file);
}

}  // namespace tarutil
