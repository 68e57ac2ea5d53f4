// Pages of a corpus, for people with a browser: repositories and issues, projects and changes, commits, people, texts,
// SQL.
//
//   maintner::WebSite site(executor, clock, {.view = [&] { return corpus.view(); }});
//   build::net::Server server(executor, clock, site.handler());
//
// The routes and what they show: docs/maintserve.md. All is GET and HEAD, and changes nothing. Everything in a corpus
// is written by strangers: it gets into a page as text, or as Markdown of which only known, harmless elements are left.
//
// Threads: all functions on the executor. Pages are made in threads of the site's own, so that none holds up others;
// what takes long (search, SQL) has other threads than the rest, and few at a time.
#pragma once

#include <build/net/server.h>
#include <io/clock.h>
#include <io/task.h>
#include <maintner/view.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace maintner {

struct WebSiteLimits {
  io::Duration sql_time = std::chrono::seconds{10};  ///< of a statement
  std::size_t sql_rows = 1000;  ///< that are shown; what is beyond is left out, and the page says so
  std::size_t at_once = 2;      ///< searches, and statements, that run at the same time, of each kind
  std::size_t waiting = 16;     ///< that wait for their turn; those who come then are told 503
  io::Duration patience = std::chrono::seconds{10};  ///< how long they wait before they are told the same
  std::size_t streams = 500;                         ///< pages that are told of what is new
};

struct WebSiteSource {
  std::function<View()> view;          ///< the newest; called from any thread
  std::filesystem::path queries = {};  ///< a directory of statements, *.sql; empty: none but those built in
  std::function<void(const std::string&)> log = {};  ///< told what goes wrong out of everybody's sight
};

class WebSite {
 public:
  /// `clock` must outlive it. Nothing is read before start().
  WebSite(io::Executor executor, io::Clock& clock, WebSiteSource source, WebSiteLimits limits = {});
  /// After the server was stopped, and stop() has returned.
  ~WebSite();
  WebSite(const WebSite&) = delete;
  WebSite& operator=(const WebSite&) = delete;

  /// Begins to count, and to find out what refers to what; pages that need it say so as long as it is not done.
  void start();
  /// There may be a newer view: tells those who wait, and counts anew.
  void changed();
  /// Ends what start() and changed() began, and all streams. Before Server::stop().
  io::Task<> stop();

  /// Answers every request. As long as the site lives.
  build::net::Handler handler();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintner
