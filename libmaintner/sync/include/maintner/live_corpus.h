// A project's whole history, as a log server has it, and kept up to date: one call.
//
//   maintner::LiveCorpus corpus({.follower = {.server = "https://maintner.golang.org/logs"}});
//   for (const maintner::Repo& repo : corpus.view().github().repos()) std::cout << repo.id() << "\n";
//
// It has a thread of its own, which follows the server and makes new views as soon as something is new. Where the
// server cannot be reached it has what the cache has. A history that was split is loaded anew, beside the old one.
//
// Threads: all functions may be called from any, but not from a listener: view().
#pragma once

#include <maintner/corpus.h>
#include <maintner/follower.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace maintner {

/// Where the original keeps the log of `server` if that is its own, maintner.golang.org, so that both share it:
/// $XDG_CACHE_HOME/golang-maintner, else ~/.cache/golang-maintner. Else a folder of that server in xbuild-maintner
/// beside it. Throws std::runtime_error if neither XDG_CACHE_HOME nor HOME is set.
std::filesystem::path default_cache(const std::string& server);

struct LiveCorpusOptions {
  FollowerOptions follower;  ///< cache: default_cache() if it is empty
  CorpusOptions corpus = {};
  /// Called on the corpus's thread with each new view and the one before it. It must not throw.
  std::function<void(const View& before, const View& after)> on_update = {};
};

class LiveCorpus {
 public:
  /// Blocks until all that is there has been fetched and loaded. Throws what Follower and Corpus throw.
  explicit LiveCorpus(LiveCorpusOptions options);
  /// Waits for an update that is under way. Views may live on.
  ~LiveCorpus();
  LiveCorpus(const LiveCorpus&) = delete;
  LiveCorpus& operator=(const LiveCorpus&) = delete;

  /// The newest.
  View view() const;
  /// Waits until there is a newer view than the last that somebody was told of by this function, or by the constructor;
  /// false if there is none within `limit`.
  bool wait_for_update(std::chrono::nanoseconds limit);
  /// Why it does not hear from the server; empty if it does. It tries again.
  std::string trouble() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintner
