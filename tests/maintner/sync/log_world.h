// A log server in memory, on a virtual clock, with real files.
#pragma once

#include <io/blocking_pool.h>
#include <maintner/log_server.h>
#include <maintner/segment_store.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "build/net/world.h"
#include "support/support.h"

namespace testing {

struct LogWorld : ServerWorld {
  /// Frozen segments are in `frozen`, or in the directory of the one that grows.
  explicit LogWorld(std::uint64_t segment_size = maintner::SegmentStore::kSegmentSize,
                    std::shared_ptr<build::blob::Blobs> frozen = nullptr)
      : ServerWorld(
            [this](build::net::Request& request, build::net::Response& response) { return router(request, response); }),
        store(frozen ? maintner::SegmentStore(temp / "segments", frozen, segment_size)
                     : maintner::SegmentStore(temp / "segments", segment_size)),
        logs(loop.executor(), clock, pool, store) {
    logs.add_to(router);
  }
  ~LogWorld() { run(server.stop()); }

  void add(std::string_view payload) {
    store.append(payload);
    store.commit();
    settle();
  }

  /// Runs what is ready, on the loop and on the pool, until `condition` holds; for ten seconds at most.
  template <typename F>
  bool until(F condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      settle();
    }
    return true;
  }

  /// The whole answer.
  std::string answer(const std::string& request) {
    const auto peer = connect();
    peer->send(request);
    const bool head_only = request.starts_with("HEAD ");
    const auto whole = [&] { return is_whole(peer->received(), head_only); };
    CHECK(until(whole));
    return peer->take();
  }
  std::string get(const std::string& target, const std::string& fields = {}) {
    return answer("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  }

  static bool is_whole(const std::string& text, bool head_only) {
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string name = "Content-Length: ";
    const std::size_t at = text.find(name);
    if (head_only || at == std::string::npos || at > end) return true;
    return text.size() == end + 4 + std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
  }

  TempDir temp;
  io::BlockingPool pool{2};
  build::net::Router router;
  maintner::SegmentStore store;
  maintner::LogServer logs;
};

inline std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

inline std::string sha224(std::string_view bytes) {
  build::base::Sha224 digest;
  digest.update(bytes);
  return digest.hex();
}

}  // namespace testing
