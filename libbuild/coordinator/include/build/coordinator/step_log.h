// The log of one step, written with patience: while the disk takes nothing, the writer waits and tries again, and so
// the step's command, whose output nobody reads meanwhile, waits too. Nothing is dropped.
#pragma once

#include <build/livelog/log_store.h>
#include <io/clock.h>
#include <io/event.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace build::coordinator {

/// What the logs of a coordinator wait for, for people.
struct LogTrouble {
  std::size_t waiting = 0;  ///< logs that cannot be written at this moment
  std::string why;          ///< of the last one
};

/// Lives on one executor. Everything handed in by reference outlives it.
class StepLog {
 public:
  StepLog(io::Executor executor, io::Clock& clock, livelog::LogStore& logs, LogTrouble& trouble);

  // As those of livelog::Writer, but a disk that fails is tried again every second. Throws std::runtime_error when it
  // failed for four minutes, or stop() was called.

  io::Task<> open(model::RunId run);
  io::Task<> append(std::uint64_t offset, std::string_view bytes);
  io::Task<> append_line(std::string line);
  io::Task<> finish();

  /// Once open.
  std::uint64_t size() const noexcept { return writer_->size(); }

  /// Ends the patience, now and from now on.
  void stop() noexcept;

 private:
  io::Task<> patiently(std::function<io::Task<>()> attempt);

  io::Executor executor_;
  io::Clock& clock_;
  livelog::LogStore& logs_;
  LogTrouble& trouble_;
  std::unique_ptr<livelog::Writer> writer_;
  io::Event wake_;
  bool stopped_ = false;
};

}  // namespace build::coordinator
