// The farm's pages and their JSON twins, as handlers for an HTTP server. Who may see them is decided in front of them
// (build/web/access.h).
//
//   /                                commits by builders, per repository and branch
//       ?repository=R&branch=B          only these, one branch page by page: &before=P, &after=P (positions), &limit=N
//       &builder=PART&state=S           only builders with that in their name, commits with a build in that state
//   /build/ID                        one build: state, attempts, steps, the log, following while it runs
//   /build/ID/log/ATTEMPT-STEP?from=N
//                                    a step's log from line N on; line N is #sATTEMPT-STEP-LN here and above
//   /queue?limit=N                   what runs, and what waits and for what
//   /pools                           the workers by host type, and those that were lost lately
//   POST /build/ID/cancel, /build/ID/retry
//                                    does that, and leads back to the build's page
//   /healthz                         "ok"
//   /static/site.css, /static/site.js, /favicon.svg
//
//   /api/v1/status                   how much there is to do, notices, version
//   /api/v1/commits                  as /, with the same query; a repository and branch if none are named
//   /api/v1/queue?limit=N            as /queue
//   /api/v1/pools                    as /pools
//   /api/v1/builds?limit=N           the newest builds
//   /api/v1/builds/ID                one build with attempts, steps and what it waits for
//   /api/v1/builds/ID/log            all its output, as plain text
//   /api/v1/builds/ID/events         its state and output as they come, as server-sent events
//   POST /api/v1/builds/ID/cancel, /api/v1/builds/ID/retry
//                                    200, 404 if there is none, 409 with a sentence if it cannot be done
//   POST /clear-results?builder=B&hash=H&key=K
//                                    the original's way to have a commit built again
//   /api/v1/workers                  connected workers and what they do
//   /api/v1/runs/RUN/log?offset=N&follow=1
//                                    bytes of one run's log from an offset on; follow=1 goes on until its end
//   /api/v1/runs/RUN/events          the same as server-sent events
//
// Times in JSON are RFC 3339 in UTC; absent ones are null. Errors are {"error": "sentence"} below /api/, pages
// elsewhere.
//
// Everything that comes from commits, workers or requests is escaped where it is written (build/web/html.h). The
// pages load nothing from elsewhere and run one script file of our own, which they do not need: a content security
// policy says so to the browser.
#pragma once

#include <build/livelog/log_store.h>
#include <build/net/server.h>
#include <build/store/store.h>
#include <build/web/farm_control.h>
#include <build/web/farm_view.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>

#include <memory>
#include <string>

namespace build::web {

/// What the site reads from. All of it must outlive the site.
struct SiteSources {
  const store::Store& store;  ///< asked on the pool
  livelog::LogStore& logs;
  io::BlockingPool& pool;
  io::Clock& clock;
  const FarmView& farm;
  io::Event& changed;  ///< notified when something about the farm changed
  FarmControl& control;
  std::string master_key;  ///< also proves who clears results as the original's tools do
};

struct SiteLimits {
  /// Logs and builds followed at the same time. Well below the server's limit of connections, so that pages are
  /// answered however many look on.
  std::size_t streams = 400;
};

/// Lives on the executor of the server that its routes are given to, and must outlive that server.
class Site {
 public:
  explicit Site(SiteSources sources, SiteLimits limits = {});
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  /// Adds the routes named above, and the answer for paths that are not found.
  void add_routes(net::Router& router);

  /// How many logs and builds are being followed.
  std::size_t streams() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace build::web
