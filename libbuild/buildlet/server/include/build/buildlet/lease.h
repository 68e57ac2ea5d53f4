// Who may use this worker: one lease at a time, named by a number that only grows (a fencing number). Requests that
// carry a smaller one come from somebody who does not know yet that his time is over, and are refused.
//
// A lease lasts until it is ended or its time is over; every request that carries its number renews it. When it ends,
// everything that runs is killed and the work directory emptied, and the next one begins when that has been seen to.
// Supervisors watch the end by themselves, through a file: it holds also while this program does not run.
#pragma once

#include <build/base/log.h>
#include <build/buildlet/work_directory.h>
#include <build/runs/lease_file.h>
#include <build/runs/runs.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace build::buildlet {

/// The field that names a request's lease.
inline constexpr const char* kLeaseField = "X-Xbuild-Lease";

/// Ownership: what is handed in outlives it. Lives on one executor.
class Lease {
 public:
  /// `state` is the worker's state directory; its files are written on `own_pool`, the work directory's on `pool`.
  /// Throws std::runtime_error if what is recorded there cannot be read.
  Lease(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, io::BlockingPool& own_pool,
        const std::filesystem::path& state, runs::Runs& runs, WorkDirectory& workdir, base::Logger& log);

  static constexpr std::chrono::seconds kShortest{1}, kLongest{24 * 3600};

  /// Begins the lease `number`, or renews it. Returns true if it was held before. With `resume` it must have been.
  /// Throws HttpError: 409 for a number that is over or not held, 500 if the worker could not be cleaned.
  io::Task<bool> take(std::uint64_t number, std::chrono::seconds time, bool resume);
  /// Ends it, and returns when the worker is clean. One that is over already is fine.
  io::Task<> end(std::uint64_t number);
  /// Renews it. Throws HttpError 409 unless it is the one that is held.
  void check(std::uint64_t number);

  /// The one that is held.
  std::optional<std::uint64_t> number() const;
  /// The greatest number that was ever seen; 0: none.
  std::uint64_t last() const noexcept { return record_.number; }
  std::chrono::seconds time_left() const;

 private:
  void load();
  void renew();
  void write() const;
  bool held() const;
  io::Task<> clean(std::string why);
  io::Task<> expire();
  void watch_end();

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  io::BlockingPool& own_pool_;
  std::filesystem::path file_;
  base::UniqueFd state_;
  runs::Runs& runs_;
  WorkDirectory& workdir_;
  base::Logger& log_;
  std::string boot_ = runs::boot_id();
  runs::LeaseRecord record_;
  std::chrono::seconds time_{0};
  io::Alarm alarm_;
  bool changing_ = false;
  io::Event changed_;
};

}  // namespace build::buildlet
