#include <maintner/live_corpus.h>

#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/loop_thread.h>
#include <io/stoppable.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "url.h"

namespace maintner {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kOriginal = "https://maintner.golang.org/";
constexpr io::Duration kPause = std::chrono::seconds{15};

}  // namespace

fs::path default_cache(const std::string& server) {
  const char *const cache = std::getenv("XDG_CACHE_HOME"), *const home = std::getenv("HOME");
  fs::path root;
  if (cache != nullptr && *cache != '\0')
    root = cache;
  else if (home != nullptr && *home != '\0')
    root = fs::path(home) / ".cache";
  else
    throw std::runtime_error("neither XDG_CACHE_HOME nor HOME says where a log can be kept");
  if (server.starts_with(kOriginal)) return root / "golang-maintner";
  std::string name = parse_url(server).text();
  for (char& c : name)
    if (c == '/' || c == ':') c = '_';
  return root / "xbuild-maintner" / name;
}

struct LiveCorpus::Impl {
  explicit Impl(LiveCorpusOptions options) : options_(std::move(options)) {
    if (options_.follower.cache.empty()) options_.follower.cache = default_cache(options_.follower.server);
    try {
      loop_.run(begin());
    } catch (const std::exception&) {
      loop_.run(end());
      throw;
    }
    io::spawn(loop_.executor(), follow(), {});
  }
  ~Impl() { loop_.run(end()); }

  View view() const {
    const std::lock_guard lock(mutex_);
    return corpus_->view();
  }

  bool wait_for_update(std::chrono::nanoseconds limit) {
    std::unique_lock lock(mutex_);
    const auto news = [this] { return updates_ != told_; };
    if (!changed_.wait_for(lock, limit, news)) return false;
    told_ = updates_;
    return true;
  }

  std::string trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }

 private:
  // ---- on the loop's thread

  io::Task<> begin() {
    stoppable_.emplace(loop_.executor());
    ended_.emplace(loop_.executor());
    connect();
    co_await stoppable_->run(take_next());
  }

  void connect() {
    follower_.emplace(loop_.executor(), clock_, *pool_, options_.follower);
    reload_ = true;
    behind_ = false;
  }

  io::Task<> end() {
    if (stoppable_) stoppable_->stop();
    while (following_) co_await ended_->wait();
    follower_.reset();
    stoppable_.reset();
    ended_.reset();
    pool_.reset();
  }

  io::Task<> follow() {
    following_ = true;
    while (!stoppable_->stopped()) {
      std::string trouble;
      try {
        co_await stoppable_->run(take_next());
      } catch (const HistorySplit&) {
        connect();
        continue;
      } catch (const LogChanged&) {
        connect();
        continue;
      } catch (const std::exception& error) {
        trouble = error.what();
      }
      if (stoppable_->stopped()) break;
      set_trouble(trouble);
      if (trouble.empty()) continue;
      if (options_.follower.log) options_.follower.log(trouble);
      try {
        co_await stoppable_->run(clock_.sleep_for(kPause));
      } catch (const boost::system::system_error&) {
        break;
      }
    }
    following_ = false;
    ended_->notify_all();
  }

  io::Task<> take_next() {
    if (!behind_) list_ = co_await follower_->next();
    behind_ = true;
    take_in();
    behind_ = false;
  }

  void take_in() {
    if (!reload_) {
      const View before = corpus_->view();
      if (corpus_->update().mutations > 0) tell(before, corpus_->view());
      return;
    }
    const auto parts = [this] {
      std::vector<LogPart> all;
      for (const Segment& segment : list_->segments) all.push_back({segment.file, segment.size, segment.open});
      return all;
    };
    auto fresh = std::make_shared<Corpus>(parts, options_.corpus);
    reload_ = false;
    const std::shared_ptr<Corpus> old = corpus_;
    {
      const std::lock_guard lock(mutex_);
      corpus_ = std::move(fresh);
    }
    if (old != nullptr) tell(old->view(), corpus_->view());
  }

  void tell(const View& before, const View& after) {
    {
      const std::lock_guard lock(mutex_);
      ++updates_;
    }
    changed_.notify_all();
    if (options_.on_update) options_.on_update(before, after);
  }

  void set_trouble(const std::string& trouble) {
    const std::lock_guard lock(mutex_);
    trouble_ = trouble;
  }

  LiveCorpusOptions options_;
  io::RealClock clock_;
  io::LoopThread loop_;
  std::optional<io::BlockingPool> pool_{std::in_place, 1};
  std::optional<io::Stoppable> stoppable_;
  std::optional<io::Event> ended_;
  std::optional<Follower> follower_;
  std::shared_ptr<const SegmentList> list_;
  bool reload_ = true;   ///< what comes next is the beginning of another corpus
  bool behind_ = false;  ///< list_ has not been taken in, because that failed
  bool following_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Corpus> corpus_;
  std::uint64_t updates_ = 0, told_ = 0;
  std::string trouble_;
};

LiveCorpus::LiveCorpus(LiveCorpusOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
LiveCorpus::~LiveCorpus() = default;
View LiveCorpus::view() const { return impl_->view(); }
bool LiveCorpus::wait_for_update(std::chrono::nanoseconds limit) { return impl_->wait_for_update(limit); }
std::string LiveCorpus::trouble() const { return impl_->trouble(); }

}  // namespace maintner
