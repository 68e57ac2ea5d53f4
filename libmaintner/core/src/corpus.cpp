#include <maintner/corpus.h>

#include <maintner/reclog.h>

#include <build/base/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <exception>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "apply_git.h"
#include "apply_github.h"
#include "compact.h"
#include "indexes.h"
#include "load.h"
#include "pinned_state.h"
#include "snapshot.h"
#include "threads.h"

namespace maintner {

namespace fs = std::filesystem;

namespace {

/// Small enough that what one thread has read is still in the processor's cache when it is applied.
constexpr std::uint64_t kPiece = 1 << 20;
constexpr std::size_t kMaxProblems = 1000;

struct LogFile {
  fs::path path;
  build::base::UniqueFd fd;
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t begin = 0;    ///< in the space
  std::uint64_t size = 0;     ///< of what is in the space
  std::uint64_t applied = 0;  ///< of what is in the corpus
};

struct stat status_of(const LogFile& file) {
  struct stat status {};
  if (::fstat(file.fd.get(), &status) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot look at " + file.path.string());
  return status;
}

LogFile open_log(const LogPart& part) {
  LogFile file;
  file.path = part.file;
  file.fd.reset(part.open != nullptr ? ::fcntl(part.open->get(), F_DUPFD_CLOEXEC, 0)
                                     : ::open(part.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.fd.valid()) throw std::system_error(errno, std::generic_category(), "cannot open " + part.file.string());
  const struct stat status = status_of(file);
  file.device = status.st_dev;
  file.inode = status.st_ino;
  return file;
}

/// False if there is none.
bool look_at(const LogPart& part, struct stat& status) {
  return (part.open != nullptr ? ::fstat(part.open->get(), &status) : ::stat(part.file.c_str(), &status)) == 0;
}

std::uint64_t size_in(const struct stat& status, const LogPart& part) {
  return std::min(static_cast<std::uint64_t>(status.st_size), part.size);
}

}  // namespace

struct Corpus::Impl {
  Impl(fs::path directory, LogParts parts, CorpusOptions options)
      : directory_(std::move(directory)), parts_(std::move(parts)), options_(std::move(options)) {
    if (options_.threads == 0) options_.threads = processors();
    if (!options_.snapshot.empty() && take_snapshot()) return;
    State first;
    space_ = first.space;
    take_in(std::move(first), true);
  }
  ~Impl() {
    if (shelf_ != nullptr) shelf_->close();
  }

  Progress update() {
    const bool more = !files_.empty() && !torn_ && files_.back().size > files_.back().applied;
    const bool news = more || (parts_ ? parts_changed() : has_grown() || directory_changed()) || behind_;
    take_tidied(news);
    if (!news) return {};
    return take_in(State(shelf_->newest()), false);
  }

  fs::path directory_;
  LogParts parts_;  ///< instead of it
  CorpusOptions options_;
  std::shared_ptr<LogSpace> space_;
  std::vector<LogFile> files_;
  Shelf* shelf_ = nullptr;
  NamedRepos named_;
  std::vector<std::function<void(const View&, const View&)>> listeners_;
  std::vector<Problem> problems_;
  std::uint64_t problem_count_ = 0;
  std::optional<Problem> torn_;
  std::string snapshot_refused_;

  void save(const fs::path& file) const {
    Snapshot snapshot;
    snapshot.compat = options_.compat;
    snapshot.problem_count = problem_count_;
    for (const LogFile& log : files_) {
      const struct stat status = status_of(log);
      SnapshotFile& saved = snapshot.files.emplace_back();
      saved.name = log.path.filename().string();
      saved.inode = log.inode;
      saved.mtime = mtime_of(status);
      saved.size = log.size;
      saved.applied = log.applied;
      saved.begin = log.begin;
      sum_ends(bytes_of(log), saved);
      saved.all = checksum(bytes_of(log));
    }
    for (const Problem& problem : problems_) {
      const auto log =
          std::find_if(files_.begin(), files_.end(), [&](const LogFile& each) { return each.path == problem.file; });
      snapshot.problems.push_back({static_cast<std::size_t>(log - files_.begin()), problem.offset, problem.why});
    }
    write_snapshot(shelf_->newest(), snapshot, file);
  }

 private:
  static std::int64_t mtime_of(const struct stat& status) {
    return status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
  }
  static void sum_ends(std::string_view bytes, SnapshotFile& file) {
    file.first = checksum(bytes.substr(0, kFileEnds));
    file.last = checksum(bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), kFileEnds)));
  }

  /// False if there is none that can be used.
  bool take_snapshot() {
    State state;
    space_ = state.space;
    try {
      const Snapshot snapshot = read_snapshot(options_.snapshot, state, options_.threads,
                                              [this](const Snapshot& head) { open_as_then(head); });
      for (const SnapshotProblem& problem : snapshot.problems)
        problems_.push_back({files_[problem.file].path, problem.offset, problem.why});
      problem_count_ = snapshot.problem_count;
      shelf_ = Shelf::make(std::make_unique<PinnedState>(std::move(state)));
      update();
      return true;
    } catch (const SnapshotRefused& error) {
      snapshot_refused_ = error.what();
    } catch (const LogChanged& error) {
      snapshot_refused_ = error.what();
    } catch (const std::system_error& error) {
      snapshot_refused_ = error.what();
    }
    if (shelf_ != nullptr) std::exchange(shelf_, nullptr)->close();
    files_.clear();
    problems_.clear();
    problem_count_ = 0;
    torn_.reset();
    return false;
  }

  /// Opens the log's files, as far as they are what a snapshot was made of. Throws SnapshotRefused.
  void open_as_then(const Snapshot& snapshot) {
    if (snapshot.compat != options_.compat) throw SnapshotRefused("it was made with another value of compat");
    const std::vector<LogPart> parts = list();
    for (std::size_t i = 0; i < snapshot.files.size(); ++i) {
      const SnapshotFile& then = snapshot.files[i];
      if (i == parts.size() || (!parts_ && parts[i].file.filename() != then.name))
        throw SnapshotRefused("the log has other files than then: " + then.name + " is not there, or not in its place");
      LogFile file = open_log(parts[i]);
      const struct stat status = status_of(file);
      const std::uint64_t size = size_in(status, parts[i]);
      const bool last = i + 1 == snapshot.files.size();
      const bool same =
          file.inode == then.inode && (last ? size >= then.size : size == then.size && mtime_of(status) == then.mtime);
      file.begin = space_->add(file.fd, size, file.path);
      file.size = size;
      file.applied = then.applied;
      SnapshotFile now;
      if (same) sum_ends(bytes_of(file).substr(0, then.size), now);
      if (!same || now.first != then.first || now.last != then.last || file.begin != then.begin)
        throw SnapshotRefused(then.name + " is not what it was then");
      files_.push_back(std::move(file));
    }
  }

  /// Whether there may be other files in it than those that are known. Its time is not worth much when it is new: more
  /// may happen within what the clock can tell apart.
  bool directory_changed() {
    struct stat status {};
    if (::stat(directory_.c_str(), &status) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot look at " + directory_.string());
    const auto time = std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
    const bool same = time == listed_at_;
    listed_at_ = time;
    constexpr auto kTrusted = std::chrono::seconds(2);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    if (now - time < kTrusted) listed_at_ = {};
    return !same;
  }

  /// Throws LogChanged.
  bool has_grown() {
    if (files_.empty()) return false;
    const auto size = static_cast<std::uint64_t>(status_of(files_.back()).st_size);
    if (size < files_.back().size) throw LogChanged(files_.back().path.string() + " has become shorter");
    return size > files_.back().size;
  }

  bool parts_changed() {
    const std::vector<LogPart> parts = parts_();
    return parts.size() != files_.size() || (!parts.empty() && parts.back().size != files_.back().size);
  }

  std::vector<LogPart> list() const {
    if (parts_) return parts_();
    std::vector<LogPart> parts;
    for (fs::path& file : log_files(directory_)) parts.push_back({std::move(file), UINT64_MAX});
    return parts;
  }

  void rename(LogFile& file, const fs::path& path) {
    if (file.path == path) return;
    for (Problem& problem : problems_)
      if (problem.file == file.path) problem.file = path;
    file.path = path;
  }

  /// Compares what is listed with what is known, of which the last may have grown. Throws LogChanged.
  std::vector<LogFile> new_files(const std::vector<LogPart>& listed) {
    std::vector<LogFile> fresh;
    std::size_t known = 0;
    for (const LogPart& part : listed) {
      if (known == files_.size()) {
        fresh.push_back(open_log(part));
        continue;
      }
      LogFile& before = files_[known++];
      struct stat status {};
      if (!look_at(part, status) || (!parts_ && part.file != before.path) || status.st_ino != before.inode ||
          status.st_dev != before.device)
        throw LogChanged("there is another file than before in the place of " + before.path.string());
      rename(before, part.file);
      const bool is_last = known == files_.size();
      const std::uint64_t size = size_in(status, part);
      if (size < before.size) throw LogChanged(part.file.string() + " has become shorter");
      if (size > before.size && !is_last)
        throw LogChanged(part.file.string() + " has become longer, and is not the last");
    }
    if (known < files_.size()) throw LogChanged(files_[known].path.string() + " is not there any more");
    return fresh;
  }

  std::string_view bytes_of(const LogFile& file) const {
    return {space_->at(file.begin), static_cast<std::size_t>(file.size)};
  }

  Progress take_in(State next, bool first) {
    if (!parts_) directory_changed();
    const std::vector<LogPart> listed = list();
    const std::size_t known = files_.size();
    std::vector<LogFile> fresh = new_files(listed);
    behind_ = true;
    if (known > 0) {
      LogFile& last = files_.back();
      const std::uint64_t size = size_in(status_of(last), listed[known - 1]);
      space_->extend(last.fd, size, last.path);
      last.size = std::max(last.size, size);
    }
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      LogFile& file = fresh[i];
      file.size = size_in(status_of(file), listed[known + i]);
      file.begin = space_->add(file.fd, file.size, file.path);
      files_.push_back(std::move(file));
    }
    // Also what could not be taken in the last time.
    std::vector<LogPiece> pieces;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const LogFile& file = files_[i];
      for (LogPiece& piece : pieces_of(bytes_of(file), file.applied, i + 1 == files_.size(), kPiece)) {
        piece.file_number = i;
        pieces.push_back(std::move(piece));
      }
    }
    return apply(std::move(next), pieces, first);
  }

  Progress apply(State next, std::vector<LogPiece>& pieces, bool first) {
    ++next.batch;
    next.slots = no_slots();
    GithubApplier github(next, options_.compat);
    GitApplier git(next, named_, options_.compat);
    github.begin_batch(first);
    git.begin_batch(first);
    load_pieces(pieces, *space_, github, git, options_.threads);
    git.finish();
    if (named_.size() != named_seen_)
      for (const auto& [name, refs] : named_) github.see_repo(refs.first, refs.second);
    const Progress progress = settle(pieces, next);
    auto pinned = std::make_unique<PinnedState>(std::move(next));
    named_seen_ = named_.size();
    behind_ = false;
    if (shelf_ == nullptr) {
      shelf_ = Shelf::make(std::move(pinned));
      return progress;
    }
    if (progress.mutations == 0) return progress;
    pinned->state.indexes->note(shelf_->newest(), pinned->state);
    const View before(shelf_->pin());
    shelf_->publish(std::move(pinned));
    const View after(shelf_->pin());
    for (const auto& listener : listeners_) listener(before, after);
    if (is_wasteful(shelf_->newest())) {
      tidied_ = std::make_shared<State>(shelf_->newest());
      tidying_ = beside(options_.threads > 1, [state = tidied_] { tidy(*state); });
    }
    return progress;
  }

  /// Puts the newest state's tidy form in its place, if there is one by now, or, with `wait`, if there will be one.
  void take_tidied(bool wait) {
    constexpr auto kNoTime = std::chrono::seconds(0);
    if (!tidying_.valid() || (!wait && tidying_.wait_for(kNoTime) == std::future_status::timeout)) return;
    const std::shared_ptr<State> tidied = std::exchange(tidied_, nullptr);
    try {
      tidying_.get();
    } catch (const std::exception&) {
      return;  // there was no memory for it
    }
    shelf_->publish(std::make_unique<PinnedState>(std::move(*tidied)));
  }

  /// What has been read is known from here on.
  Progress settle(std::vector<LogPiece>& pieces, State& next) {
    Progress progress;
    torn_.reset();
    for (LogPiece& piece : pieces) {
      progress.mutations += piece.digest.mutations;
      LogFile& file = files_[piece.file_number];
      progress.bytes += piece.real_end - std::min(file.applied, piece.real_end);
      file.applied = piece.real_end;
      if (piece.torn) torn_ = Problem{file.path, piece.real_end, *piece.torn};
      std::vector<Digest::Fault> faults = std::move(piece.digest.faults);
      std::move(piece.digest.github_faults.begin(), piece.digest.github_faults.end(), std::back_inserter(faults));
      std::sort(faults.begin(), faults.end(),
                [](const Digest::Fault& a, const Digest::Fault& b) { return a.position < b.position; });
      problem_count_ += faults.size();
      for (Digest::Fault& fault : faults)
        if (problems_.size() < kMaxProblems)
          problems_.push_back({file.path, fault.position - file.begin, std::move(fault.why)});
    }
    next.mutations += progress.mutations;
    return progress;
  }

  std::chrono::nanoseconds listed_at_{0};
  bool behind_ = false;            ///< something was not taken in, because it failed
  std::size_t named_seen_ = 0;     ///< of named_, those that are repositories
  std::shared_ptr<State> tidied_;  ///< the newest state, while it is made tidy beside all else
  std::future<void> tidying_;
};

Corpus::Corpus(const fs::path& directory, const CorpusOptions& options)
    : impl_(std::make_unique<Impl>(directory, nullptr, options)) {}
Corpus::Corpus(LogParts parts, const CorpusOptions& options)
    : impl_(std::make_unique<Impl>(fs::path(), std::move(parts), options)) {}
Corpus::~Corpus() = default;

std::vector<std::string> verify_snapshot(const fs::path& directory, const fs::path& snapshot) {
  std::vector<std::string> wrong;
  LogSpace space;
  for (const SnapshotFile& then : read_snapshot_head(snapshot).files) {
    const fs::path path = directory / then.name;
    std::error_code error;
    if (!fs::exists(path, error)) {
      wrong.push_back(path.string() + " is not there");
      continue;
    }
    const LogFile file = open_log({path, UINT64_MAX});
    const auto size = static_cast<std::uint64_t>(status_of(file).st_size);
    if (size < then.size) {
      wrong.push_back(path.string() + " has become shorter");
      continue;
    }
    const std::string_view bytes(space.at(space.add(file.fd, size, path)), then.size);
    if (checksum(bytes) != then.all) wrong.push_back(path.string() + " is not what it was");
  }
  return wrong;
}

View Corpus::view() const noexcept { return View(impl_->shelf_->pin()); }
Progress Corpus::update() { return impl_->update(); }

void Corpus::on_update(std::function<void(const View&, const View&)> listener) {
  impl_->listeners_.push_back(std::move(listener));
}

const std::vector<Problem>& Corpus::problems() const noexcept { return impl_->problems_; }
std::uint64_t Corpus::problem_count() const noexcept { return impl_->problem_count_; }
const std::optional<Problem>& Corpus::torn() const noexcept { return impl_->torn_; }
bool Corpus::log_damaged() const noexcept { return impl_->space_->damaged(); }
const std::string& Corpus::snapshot_refused() const noexcept { return impl_->snapshot_refused_; }
void Corpus::save(const fs::path& file) const { impl_->save(file); }

}  // namespace maintner
