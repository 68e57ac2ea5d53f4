// What a monitoring system asks: numbers in Prometheus' text format, and whether there is somebody home.
//
//   GET /metrics    how the farm, the store, the server and the process are doing
//   GET /readyz     "ready", or 503 with a sentence for each reason why no work can be done at the moment
//
// Values of this moment are read from the farm when they are asked for; what happened is counted from the start of the
// program. The number of series is bounded: labels come from the configuration and from fixed lists, and what a client
// or a worker calls itself makes none beyond kMaxHostTypes.
#pragma once

#include <build/model/records.h>
#include <build/net/server.h>
#include <build/web/site.h>

#include <cstddef>
#include <memory>

namespace build::web {

/// Lives on the executor of the server that its routes are given to, and must outlive it.
class Metrics {
 public:
  static constexpr std::size_t kMaxHostTypes = 100;  ///< further ones are counted together, as "other"

  struct Sources {
    const FarmView& farm;
    const Site& site;
    io::BlockingPool& pool;
    const io::Clock& clock;
  };
  /// All of it must outlive it.
  explicit Metrics(Sources sources);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Rows that were made durable, and how long that took.
  void wrote(const model::Changes& changes, io::Duration took);

  /// `inner`, its answers counted by route and status.
  net::Handler count(net::Handler inner);

  void add_routes(net::Router& router);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace build::web
