// A worker for code that blocks: each call returns when it is done. Has an event loop with a thread of its own.
//
// Threads: one call at a time. Calls throw what those of client.h do; a worker that cannot be reached,
// boost::system::system_error or std::runtime_error with the address in the text; a stream that fails while it is read
// or written, std::ios_base::failure.
#pragma once

#include <build/buildlet/reach.h>

#include <chrono>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace build::buildlet {

class BlockingWorker {
 public:
  /// Nothing is asked of the worker yet. Throws std::invalid_argument as dial_at().
  explicit BlockingWorker(const Access& access, WorkerLimits limits = {});
  ~BlockingWorker();
  BlockingWorker(BlockingWorker&&) noexcept;
  BlockingWorker& operator=(BlockingWorker&&) noexcept;

  WorkerStatus status();
  std::string workdir();
  void put(const std::string& path, std::istream& content, unsigned permissions = 0644);
  void put_tgz(const std::string& dir, std::istream& archive);
  void put_tgz_from_url(const std::string& dir, const std::string& url);
  void get_tgz(const std::string& dir, std::ostream& archive);
  std::vector<DirEntry> list(const std::string& dir, const ListOptions& options = {});
  void remove_all(const std::vector<std::string>& paths);
  void halt();

  /// Worker::keep_runs(): after it, run() finds its way back when its connection breaks. The lease lasts this long
  /// without a call.
  bool keep_runs(std::chrono::seconds time = std::chrono::minutes{30});
  /// Ends that lease: the work directory is emptied. Without one, nothing.
  void end_lease();

  /// Runs a command to its end. `output` gets what it prints, as it comes, on the loop's thread; if it throws, the
  /// command is killed and run() throws the same.
  RunResult run(const RunSpec& spec, const std::function<void(std::string_view)>& output = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace build::buildlet
