// Reading a log that may still grow, in the background of something that waits for other things, too.
#pragma once

#include <build/livelog/log_store.h>
#include <io/event.h>

#include <boost/asio/cancellation_signal.hpp>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace build::web {

/// At most one read is under way. Its owner waits for `wake` and looks at what came. Lives on one executor; stop()
/// must have ended before it is destroyed.
class LogReader {
 public:
  /// All three must outlive it. Reads at most `piece` bytes at once.
  LogReader(livelog::LogStore& logs, io::Executor executor, io::Event& wake, std::size_t piece);

  /// Starts to read from `offset`, waiting for bytes if there are none yet and the log grows. Not while busy().
  void begin(model::RunId run, std::uint64_t offset);
  /// A read is under way, or what it gave was not taken yet.
  bool busy() const noexcept { return reading_ || count_; }

  enum class Came { nothing, bytes, end, no_log };
  struct Result {
    Came came = Came::nothing;
    std::string_view bytes;  ///< good until begin()
  };
  /// What the read gave; nothing while it is under way or none was begun. Throws what the read threw (the disk failed).
  Result take();

  /// Ends a read under way, now and in future.
  void give_up();
  /// Waits until none is under way, after give_up().
  io::Task<> stop();

 private:
  void finished(std::exception_ptr error, std::size_t count);

  livelog::LogStore& logs_;
  io::Executor executor_;
  io::Event& wake_;
  std::vector<char> room_;
  boost::asio::cancellation_signal cancel_;
  bool reading_ = false, given_up_ = false;
  std::exception_ptr error_;
  std::optional<std::size_t> count_;
};

}  // namespace build::web
