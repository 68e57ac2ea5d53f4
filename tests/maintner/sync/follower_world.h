// Followers of a server on loopback, with a clock that is moved on when a follower says that it will try again.
#pragma once

#include <io/tcp.h>
#include <maintner/follower.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "log_world.h"

namespace testing {

/// Asked for, with its Range.
struct Asked {
  std::string target, range;
  friend bool operator==(const Asked&, const Asked&) = default;
};

/// One that listens, on which everything that is asked for is noted. `handler` may be changed at any time; at first it
/// is the log server's.
struct FollowerWorld : LogWorld {
  explicit FollowerWorld(std::uint64_t segment_size = maintner::SegmentStore::kSegmentSize)
      : LogWorld(segment_size),
        listener(loop.executor(), io::HostPort{"127.0.0.1", "0"}),
        front(loop.executor(), clock, [this](build::net::Request& request, build::net::Response& response) {
          const std::string query = request.raw_query();
          asked.push_back({request.path() + (query.empty() ? "" : "?" + query), request.fields().get("Range")});
          return handler(request, response);
        }) {
    start(front.serve(listener));
  }
  ~FollowerWorld() { run(front.stop()); }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(listener.port()) + "/logs"; }

  std::unique_ptr<maintner::Follower> follow(const std::string& cache = "cache", const std::string& server = {}) {
    maintner::FollowerOptions options;
    options.server = server.empty() ? address() : server;
    options.cache = temp / cache;
    options.log = [this](const std::string& sentence) {
      said.push_back(sentence);
      paused = true;
    };
    return std::make_unique<maintner::Follower>(loop.executor(), clock, pool, std::move(options));
  }

  /// What next() brings, or the text of its error.
  std::shared_ptr<const maintner::SegmentList> next(maintner::Follower& follower) {
    const auto wait = begin_next(follower);
    CHECK(ends(wait));
    return std::move(wait->list);
  }
  std::string error_of_next(maintner::Follower& follower) {
    const auto wait = begin_next(follower);
    CHECK(ends(wait));
    return wait->outcome->error;
  }

  struct Wait {
    std::shared_ptr<Outcome> outcome;
    std::shared_ptr<const maintner::SegmentList> list;
  };
  std::shared_ptr<Wait> begin_next(maintner::Follower& follower) {
    auto wait = std::make_shared<Wait>();
    wait->outcome = start(take_next(follower, wait));
    return wait;
  }
  bool ends(const std::shared_ptr<Wait>& wait) {
    int idle = 0;
    return until([&] {
      constexpr int kLong = 1000;  // it waits for the cache's lock, if for anything
      if (std::exchange(paused, false)) {
        settle();
        advance(100s);
      } else if (++idle % kLong == 0) {
        advance(25ms);
      }
      return wait->outcome->done;
    });
  }

  io::TcpListener listener;
  build::net::Handler handler = [this](build::net::Request& request, build::net::Response& response) {
    return router(request, response);
  };
  build::net::Server front;
  std::vector<Asked> asked;
  std::vector<std::string> said;
  bool paused = false;

 private:
  static io::Task<> take_next(maintner::Follower& follower, std::shared_ptr<Wait> wait) {
    wait->list = co_await follower.next();
  }
};

}  // namespace testing
