// A mutation log over HTTP, for followers that keep up with it: the protocol of the Go project's maintnerd
// (golang.org/x/build/maintner/maintnerd/gcslog), of which both sides are in docs/maintner-sync.md.
//
//   GET /logs?startseg=N&waitsizenot=SIZE   what there is, as JSON; with waitsizenot once it is no more of that size,
//                                           or 304 after kLongPoll
//   GET /logs/N                             a segment, all of it or a range
//
// It lives on one executor. Reading files is left to the pool.
#pragma once

#include <build/net/server.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>
#include <maintner/segment_store.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace maintner {

class LogServer {
 public:
  static constexpr io::Duration kLongPoll = std::chrono::seconds{55};

  /// All of them outlive it. It is the store's listener from now on.
  LogServer(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, SegmentStore& store);
  ~LogServer();
  LogServer(const LogServer&) = delete;
  LogServer& operator=(const LogServer&) = delete;

  /// Adds /logs and what is below it. The router must not be used when the server has gone.
  void add_to(build::net::Router& router);

  /// How many wait for news now.
  std::size_t waiting() const noexcept { return waiting_; }

 private:
  struct News;
  io::Task<> answer_index(build::net::Request& request, build::net::Response& response);
  io::Task<> answer_segment(build::net::Request& request, build::net::Response& response);
  io::Task<bool> wait_until_not(std::uint64_t size, build::net::Response& response);

  io::Clock& clock_;
  io::BlockingPool& pool_;
  SegmentStore& store_;
  std::shared_ptr<News> news_;
  std::size_t waiting_ = 0;
};

}  // namespace maintner
