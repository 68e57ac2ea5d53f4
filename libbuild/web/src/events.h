// Server-sent events: a build's output and state, or one run's output, as they come.
//
// Every stream can be resumed: `id` is the position behind an event's bytes, and a client that sends it back as
// Last-Event-ID gets what follows, no byte twice and none left out. Bytes are read from the log files, so a slow client
// costs no memory; one that takes nothing for the server's write timeout is given up.
#pragma once

#include <build/net/server.h>
#include <build/web/site.h>

#include <cstddef>

namespace build::web {

/// Counts what is followed at the moment. Past the limit there is a refusal, so that streams cannot use up the
/// server's connections.
class Streams {
 public:
  explicit Streams(std::size_t limit) : limit_(limit) {}

  class Pass {
   public:
    explicit Pass(Streams& streams) : streams_(streams) { ++streams_.open_; }
    ~Pass() { --streams_.open_; }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Streams& streams_;
  };
  /// Keep the result for as long as the stream goes on. Throws HttpError 503 if there are too many.
  [[nodiscard]] Pass enter();
  std::size_t open() const noexcept { return open_; }

 private:
  std::size_t limit_, open_ = 0;
};

/// GET /api/v1/builds/ID/events
io::Task<> send_build_events(const SiteSources& sources, Streams& streams, net::Request& request,
                             net::Response& response);
/// GET /api/v1/runs/RUN/events
io::Task<> send_run_events(const SiteSources& sources, Streams& streams, net::Request& request,
                           net::Response& response);

}  // namespace build::web
