// A log server in memory, on a virtual clock, with real files.
#pragma once

#include <io/blocking_pool.h>
#include <maintner/log_server.h>
#include <maintner/segment_store.h>

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
