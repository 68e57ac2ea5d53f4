#include <maintner/follower.h>

#include <build/base/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "checked_files.h"
#include "fetcher.h"
#include "file_error.h"
#include "growing_file.h"
#include "index.h"

namespace maintner {

namespace base = build::base;
namespace fs = std::filesystem;

namespace {

constexpr io::Duration kLongPollLimit = std::chrono::seconds{90};  // servers answer after 55
constexpr io::Duration kHeadLimit = std::chrono::seconds{30};
constexpr io::Duration kWithoutNetwork = std::chrono::seconds{15};
constexpr io::Duration kLockPause = std::chrono::milliseconds{20};
constexpr io::Duration kShortest = std::chrono::seconds{1};  ///< between two indexes that bring nothing
constexpr int kIndexTries = 5, kSegmentTries = 10;
constexpr std::size_t kMaxIndex = 64 << 20;
constexpr std::size_t kPiece = 1 << 20;
constexpr int kOk = 200, kPartial = 206, kNotModified = 304;

using Kind = FetchError::Kind;

std::shared_ptr<const base::UniqueFd> opened(const fs::path& file) {
  auto fd = std::make_shared<base::UniqueFd>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd->valid()) fail("cannot open", file);
  return fd;
}

/// A copy of a file's first `size` bytes in its place. Who has the file open keeps it.
void shorten(const fs::path& file, std::uint64_t size) {
  std::string content = base::read_file(file, std::size_t{1} << 40);
  content.resize(static_cast<std::size_t>(size));
  base::write_file_atomically(file, content, 0600);
}

}  // namespace

struct Follower::Impl {
  Impl(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, FollowerOptions options)
      : clock_(clock),
        pool_(pool),
        options_(std::move(options)),
        server_(parse_url(options_.server)),
        fetcher_(std::move(executor), clock, options_.trust, options_.environment),
        checked_(options_.cache) {}

  io::Task<std::shared_ptr<const SegmentList>> next() {
    while (true) {
      std::vector<ListedSegment> listed;
      const bool online = co_await fetch_index(listed);
      std::shared_ptr<const SegmentList> list;
      if (online)
        list = co_await sync(listed);
      else
        list = co_await cached();
      if (!online && list->segments.empty()) {
        co_await clock_.sleep_for(kWithoutNetwork);
        continue;
      }
      if (online) {
        const std::uint64_t common = co_await common_size(*list);
        if (common != delivered_->size) throw HistorySplit();
        if (common == list->size)
          throw std::runtime_error("maintner.netsource: maintnerd server returned unchanged log segments");
      }
      delivered_ = list;
      before_.clear();
      co_return list;
    }
  }

 private:
  void say(const std::string& sentence) const {
    if (options_.log) options_.log(sentence);
  }

  fs::path path_of(const SegmentName& name) const { return options_.cache / to_text(name); }

  /// False: there is no network, and nothing has been delivered yet.
  io::Task<bool> fetch_index(std::vector<ListedSegment>& listed) {
    const Url url = with_query(server_, "waitsizenot=" + std::to_string(delivered_->size));
    for (int tries = 1;;) {
      const io::Instant begin = clock_.now();
      std::optional<FetchError> failed;
      std::optional<std::string> json;
      try {
        json = co_await index_text(url);
      } catch (const FetchError& error) {
        failed = error;
      }
      if (json) {
        listed = parse_index(server_, *json, options_.max_segment);
        co_return true;
      }
      io::Duration pause{0};
      if (!failed) {  // nothing new
        tries = 1;
        if (clock_.now() - begin < kShortest) pause = kShortest;
      } else if (failed->kind() == Kind::no_network) {
        if (delivered_->segments.empty() && !asked_) {
          asked_ = true;
          co_return false;
        }
        tries = 1;
        pause = kWithoutNetwork;
      } else {
        if (failed->kind() == Kind::final) throw *failed;
        if (tries == kIndexTries)
          throw std::runtime_error("after " + std::to_string(kIndexTries) +
                                   " attempts, fetching server segments still failed: " + failed->what());
        pause = std::chrono::seconds{tries * tries};
        ++tries;
      }
      if (failed) say(failed->what());
      if (pause > io::Duration{0}) co_await clock_.sleep_for(pause);
    }
  }

  /// Nothing if there is nothing new.
  io::Task<std::optional<std::string>> index_text(Url url) {
    const Fetcher::Answer answer = co_await fetcher_.get(url, "", kLongPollLimit);
    std::string text;
    try {
      text = co_await answer.body->read_all(kMaxIndex);
    } catch (const std::exception&) {
      fetcher_.close();
      rethrow_as_fetch_error(answer.url);
    }
    if (answer.head.status == kNotModified) co_return std::nullopt;
    if (answer.head.status != kOk)
      throw FetchError(Kind::final,
                       answer.url.text() + ": " + std::to_string(answer.head.status) + " " + answer.head.reason);
    co_return text;
  }

  io::Task<std::unique_ptr<base::LockFile>> lock() {
    bool said = false;
    while (true) {
      std::string held;
      auto job = [this, &held]() -> std::unique_ptr<base::LockFile> {
        base::ensure_private_directory(options_.cache);
        try {
          return std::make_unique<base::LockFile>(options_.cache / "lock");
        } catch (const base::LockedError& error) {
          held = error.what();
          return nullptr;
        }
      };
      std::unique_ptr<base::LockFile> taken = co_await pool_.run(job);
      if (taken != nullptr) co_return taken;
      if (!said) say(held);
      said = true;
      co_await clock_.sleep_for(kLockPause);
    }
  }

  io::Task<std::shared_ptr<const SegmentList>> sync(const std::vector<ListedSegment>& listed) {
    const std::unique_ptr<base::LockFile> held = co_await lock();
    auto list = std::make_shared<SegmentList>();
    if (options_.tail && delivered_->segments.empty() && !listed.empty()) first_ = listed.back().number;
    for (const ListedSegment& segment : listed) {
      if (segment.number < first_)
        list->segments.push_back({segment.number, segment.size, segment.sha224, segment.frozen, {}, nullptr});
      else
        list->segments.push_back(co_await sync_with_tries(segment));
      list->size += segment.size;
    }
    auto tidy = [&] {
      remove_others(listed);
      checked_.save();
    };
    co_await pool_.run(std::ref(tidy));
    say_removed();
    co_return list;
  }

  /// Frozen files that stand in the cache for a segment, and are of another history: without a network nobody could
  /// tell which is right.
  void remove_others(const std::vector<ListedSegment>& listed) {
    for (const SegmentName& name : segments_in(options_.cache)) {
      if (name.sha224.empty() || name.number < first_ || name.number >= listed.size()) continue;
      const ListedSegment& segment = listed[name.number];
      if (name.sha224 == segment.sha224) continue;
      // Another process may know already that a segment is whole.
      const auto size = segment.frozen ? std::nullopt : checked_.size_if_right(name);
      if (size && *size > segment.size && sha224_of_file(path_of(name), segment.size) == segment.sha224) continue;
      fs::remove(path_of(name));
    }
  }

  void say_removed() {
    for (const std::string& sentence : checked_.take_removed()) say(sentence);
  }

  io::Task<Segment> sync_with_tries(const ListedSegment& listed) {
    for (int tries = 1;;) {
      std::optional<FetchError> failed;
      std::optional<Segment> segment;
      const std::uint64_t before = fetched_;
      try {
        segment = co_await sync_segment(listed);
      } catch (const FetchError& error) {
        failed = error;
      }
      if (segment) co_return std::move(*segment);
      io::Duration pause = kWithoutNetwork;
      if (failed->kind() == Kind::final) throw *failed;
      if (fetched_ != before && growing_) tries = 1;  // something of it has come, and is kept
      if (failed->kind() == Kind::no_network) {
        tries = 1;
      } else {
        if (tries == kSegmentTries)
          throw std::runtime_error("after " + std::to_string(kSegmentTries) + " attempts, syncing segment " +
                                   std::to_string(listed.number) + " still failed: " + failed->what());
        pause = std::chrono::seconds{tries * tries};
        ++tries;
      }
      say(failed->what());
      co_await clock_.sleep_for(pause);
    }
  }

  io::Task<Segment> sync_segment(const ListedSegment& listed) {
    Segment segment{listed.number, listed.size, listed.sha224, true, path_of({listed.number, listed.sha224}), nullptr};
    auto look_for_frozen = [&] {
      return checked_.size_if_right({listed.number, listed.sha224}, listed.size).has_value();
    };
    const bool is_frozen = co_await pool_.run(std::ref(look_for_frozen));
    say_removed();
    if (is_frozen) co_return segment;
    for (bool again = false;; again = true) {
      auto prepare = [&] { open_growing(listed); };
      co_await pool_.run(prepare);
      const std::uint64_t had = growing_->size();
      if (had < listed.size) {
        auto note = [&] { before_[listed.sha224] = growing_->sha224(); };
        co_await pool_.run(std::ref(note));
        co_await fetch(listed);
      }
      auto finish = [&] { return is_right(listed, segment); };
      const bool right = co_await pool_.run(std::ref(finish));
      if (right) co_return segment;
      before_.erase(listed.sha224);
      say(growing_path_.string() + " is not what " + listed.url.text() + " has: fetched anew");
      auto drop = [this] {
        growing_.reset();
        ::unlink(growing_path_.c_str());
      };
      co_await pool_.run(std::ref(drop));
      if (had == 0 || again) throw FetchError(Kind::again, listed.url.text() + ": corrupt download");
    }
  }

  /// Afterwards it has no more than the listed bytes.
  void open_growing(const ListedSegment& listed) {
    growing_path_ = path_of({listed.number, {}});
    if (growing_ && (growing_->path() != growing_path_ || !growing_->is_there())) growing_.reset();
    if (!growing_) {
      remove_unless_file(growing_path_);
      growing_.emplace(growing_path_);
    }
    growing_->catch_up();
    if (growing_->size() <= listed.size) return;
    // Another process has got further, or the server went back.
    growing_.reset();
    if (sha224_of_file(growing_path_, listed.size) == listed.sha224)
      shorten(growing_path_, listed.size);
    else
      ::unlink(growing_path_.c_str());
    growing_.emplace(growing_path_);
  }

  bool is_right(const ListedSegment& listed, Segment& segment) {
    if (growing_->size() != listed.size || growing_->sha224() != listed.sha224) return false;
    segment.open = growing_->open();
    if (listed.frozen) {
      growing_->rename(segment.file);
      growing_.reset();
      checked_.made({listed.number, listed.sha224});
    } else {
      segment.frozen = false;
      segment.file = growing_path_;
    }
    return true;
  }

  /// Appends what is missing.
  io::Task<> fetch(const ListedSegment& listed) {
    const std::uint64_t have = growing_->size();
    const std::string range = "bytes=" + std::to_string(have) + "-" + std::to_string(listed.size - 1);
    const Fetcher::Answer answer = co_await fetcher_.get(listed.url, range, kHeadLimit);
    const bool partial = answer.head.status == kPartial;
    try {
      if (!partial && answer.head.status != kOk)
        throw FetchError(Kind::final,
                         answer.url.text() + ": " + std::to_string(answer.head.status) + " " + answer.head.reason);
      if (partial && !answer.head.fields.get("Content-Range").starts_with("bytes " + std::to_string(have) + "-"))
        throw FetchError(Kind::final, answer.url.text() + ": another range than asked for: " +
                                          answer.head.fields.get("Content-Range").substr(0, 100));
      // Without a range it is all of the segment.
      co_await append(answer, partial ? 0 : have, listed);
    } catch (const std::system_error& error) {
      fetcher_.close();
      throw;
    } catch (const std::exception&) {
      fetcher_.close();
      rethrow_as_fetch_error(answer.url);
    }
  }

  io::Task<> append(const Fetcher::Answer& answer, std::uint64_t skip, const ListedSegment& listed) {
    std::string piece(kPiece, '\0');
    std::exception_ptr broken;
    while (broken == nullptr) {
      std::size_t filled = 0;
      try {
        while (filled < piece.size()) {
          const std::size_t count =
              co_await answer.body->read_some(io::asio::buffer(piece.data() + filled, piece.size() - filled));
          if (count == 0) break;
          filled += count;
        }
      } catch (const std::exception&) {
        broken = std::current_exception();  // what has come until then is kept
      }
      if (filled == 0) break;
      std::string_view bytes(piece.data(), filled);
      const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip, bytes.size()));
      bytes.remove_prefix(skipped);
      skip -= skipped;
      if (bytes.size() > listed.size - growing_->size())
        throw FetchError(Kind::again, answer.url.text() + ": more than the " + std::to_string(listed.size) +
                                          " bytes that the segment is to have");
      auto write = [&] { growing_->append(bytes); };
      co_await pool_.run(write);
      fetched_ += bytes.size();
    }
    if (broken != nullptr) std::rethrow_exception(broken);
  }

  /// Of what was delivered, how much is the beginning of `list`.
  io::Task<std::uint64_t> common_size(const SegmentList& list) {
    auto job = [&] {
      std::uint64_t common = 0;
      const std::size_t both = std::min(list.segments.size(), delivered_->segments.size());
      for (std::size_t i = 0; i < both; ++i) {
        const Segment &now = list.segments[i], &before = delivered_->segments[i];
        if (now.sha224 == before.sha224) {
          common += now.size;
          continue;
        }
        if (now.size == before.size) break;
        const Segment &longer = now.size > before.size ? now : before, &shorter = now.size > before.size ? before : now;
        if (begins_with(longer, shorter)) common += shorter.size;
        break;
      }
      return common;
    };
    const std::uint64_t common = co_await pool_.run(std::ref(job));
    co_return common;
  }

  bool begins_with(const Segment& longer, const Segment& shorter) const {
    const auto appended = before_.find(longer.sha224);
    if (appended != before_.end() && appended->second == shorter.sha224) return true;
    try {
      return sha224_of_file(longer.file, shorter.size) == shorter.sha224;
    } catch (const std::runtime_error&) {
      return false;  // it has gone meanwhile, or is too short
    }
  }

  /// What the cache has, from 0 on, up to the first gap, the first number with several files, or the first that grows.
  io::Task<std::shared_ptr<const SegmentList>> cached() {
    const std::unique_ptr<base::LockFile> held = co_await lock();
    auto job = [this] {
      std::map<std::uint64_t, std::vector<Segment>> found;
      for (const SegmentName& name : segments_in(options_.cache))
        if (std::optional<Segment> segment = cached_segment(name)) found[name.number].push_back(std::move(*segment));
      checked_.save();
      auto list = std::make_shared<SegmentList>();
      for (auto& [number, files] : found) {  // a frozen one is before one that grows
        const bool several = files.size() > 1 && files[1].frozen;
        if (number != list->segments.size() || several) break;
        list->size += files[0].size;
        list->segments.push_back(std::move(files[0]));
        if (!list->segments.back().frozen) break;
      }
      return std::shared_ptr<const SegmentList>(std::move(list));
    };
    const std::shared_ptr<const SegmentList> list = co_await pool_.run(std::ref(job));
    say_removed();
    co_return list;
  }

  std::optional<Segment> cached_segment(const SegmentName& name) {
    const fs::path file = path_of(name);
    if (!name.sha224.empty()) {
      const auto size = checked_.size_if_right(name);
      if (!size) return std::nullopt;
      return Segment{name.number, *size, name.sha224, true, file, nullptr};
    }
    remove_unless_file(file);
    if (!fs::exists(file)) return std::nullopt;
    const std::uint64_t size = fs::file_size(file);
    return Segment{name.number, size, sha224_of_file(file, size), false, file, opened(file)};
  }

  io::Clock& clock_;
  io::BlockingPool& pool_;
  FollowerOptions options_;
  Url server_;
  Fetcher fetcher_;
  std::uint64_t fetched_ = 0;  ///< bytes, since the beginning
  std::uint64_t first_ = 0;    ///< number of those that are of interest
  bool asked_ = false;         ///< the cache, for want of a network
  std::shared_ptr<const SegmentList> delivered_ = std::make_shared<SegmentList>();
  std::optional<GrowingFile> growing_;  ///< of the segment at which it was last
  fs::path growing_path_;
  CheckedFiles checked_;
  std::map<std::string, std::string> before_;  ///< of segments, what was appended to: digest by digest
};

Follower::Follower(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, FollowerOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), clock, pool, std::move(options))) {}
Follower::~Follower() = default;

io::Task<std::shared_ptr<const SegmentList>> Follower::next() { return impl_->next(); }

}  // namespace maintner
