// The runs of a worker: commands that go on whatever becomes of the worker's program.
//
// Each has a supervisor process and a directory, <state>/runs/<id>. A program that starts finds the runs that an
// earlier one left. What the run prints is read from its spool; a socket tells when there is more.
//
// Ownership: the clock and the pool outlive Runs, which outlives every call on its runs. Lives on one executor; files
// are made and deleted on the pool. When it goes, the runs go on.
#pragma once

#include <build/base/file.h>
#include <build/runs/records.h>
#include <build/runs/spool.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/task.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace build::runs {

/// A run that cannot be begun. what() is a sentence.
struct RunError : std::runtime_error {
  enum class Kind {
    taken,    ///< there is one of this id that was asked for in other words
    no_room,  ///< the disk of the state directory is full
    failed,   ///< no supervisor could be started
  };
  RunError(Kind what_kind, const std::string& text) : std::runtime_error(text), kind(what_kind) {}
  Kind kind;
};

class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(io::Executor executor, io::BlockingPool& pool, std::string path, Command command);
  ~Run();

  const Command& command() const noexcept { return command_; }
  /// Nothing while it runs. Of a run whose supervisor died without a word: Ending::lost.
  const std::optional<Result>& result();
  /// Whether processes of it may be left, though it is over.
  bool supervised() const noexcept { return link_.is_open(); }
  std::uint64_t output_size() const noexcept { return spool_ ? spool_->size() : 0; }
  SpoolReader::Gap output_gap() const noexcept { return spool_ ? spool_->gap() : SpoolReader::Gap{}; }

  /// Returns when it is over.
  io::Task<> over();
  /// Returns when nothing of it is left.
  io::Task<> gone();

  /// Ends all of it, also what it left behind. `why` is for Result::killed.
  void kill(const std::string& why);
  /// For the command's process group.
  void signal(int number);
  void resize(TerminalSize size);

 private:
  friend class Input;
  friend class Output;
  friend class Runs;
  /// Reaches the supervisor; false if there is none.
  bool connect();
  /// Throws std::system_error.
  void open_files();
  io::Task<> listen();
  bool send(const std::string& message);
  void watch();
  /// Its supervisor need not keep what is before `offset`, if it holds the command back for its reader.
  void has_read(std::uint64_t offset);
  /// Closes the link: listen() ends.
  void let_go() noexcept;

  io::Executor executor_;
  io::BlockingPool& pool_;
  std::string path_;
  base::UniqueFd directory_;
  Command command_;
  std::optional<SpoolReader> spool_;
  io::asio::posix::stream_descriptor link_;
  bool watching_ = false;
  std::uint64_t read_ = 0;            ///< as far as the supervisor was told
  bool writing_ = false;              ///< input that was sent has no answer yet, whoever waits for it
  std::optional<std::string> taken_;  ///< the answer
  std::optional<Result> result_;
  io::Event changed_;
};

/// What writes to a run's stdin. Each call hands something over and waits until the command has read it; empty: it has,
/// else why not. While one waits, or was cancelled and its bytes are still there to be read, other writers are refused.
class Input {
 public:
  explicit Input(std::shared_ptr<Run> run) : run_(std::move(run)) {}

  /// At most 32 KiB.
  io::Task<std::string> write(std::string_view bytes);
  io::Task<std::string> end();
  /// Nobody waits any more: a pending call returns.
  void cancel() noexcept;

 private:
  io::Task<std::string> exchange(std::string message);

  std::shared_ptr<Run> run_;
  bool cancelled_ = false;
};

/// A run's output, as one reader follows it. An ephemeral run has one at a time, which misses nothing: the command
/// waits.
class Output {
 public:
  explicit Output(std::shared_ptr<Run> run) : run_(std::move(run)) {}

  /// From `offset` on: waits for at least one byte. Size 0 means that no more comes. What is not in memory any more is
  /// read on the pool. Throws boost::system::system_error, operation_aborted, once cancelled.
  io::Task<SpoolReader::Piece> read(std::uint64_t offset, io::asio::mutable_buffer into);
  void cancel() noexcept;

 private:
  std::shared_ptr<Run> run_;
  bool cancelled_ = false;
};

class Launcher;

class Runs {
 public:
  /// `state` is the worker's state directory, locked by the caller. Takes up the runs that are there; those that were
  /// ephemeral are killed, and forgotten by and by. Blocks.
  Runs(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, const std::filesystem::path& state);
  ~Runs();
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;

  /// Lets go of the runs, which go on, and waits for what is being done with them.
  io::Task<> stop();

  /// Begins a run, or returns the one of that id if it was asked for in the same words (Command::request). Throws
  /// RunError.
  io::Task<std::shared_ptr<Run>> start(Command command);
  std::shared_ptr<Run> find(std::string_view id) const;
  std::vector<std::shared_ptr<Run>> all() const;
  /// Ends what is left of it and deletes its output.
  io::Task<> forget(std::shared_ptr<Run> run, std::string why);
  /// Leaves alone what is left of it, and deletes its output when nothing is.
  void release(std::shared_ptr<Run> run);
  /// As forget(), for all runs that `which` picks.
  io::Task<> forget_all(std::function<bool(const Run&)> which, std::string why);

 private:
  std::shared_ptr<Run> take_up(const std::filesystem::path& path);
  io::Task<std::shared_ptr<Run>> begin(Command command);
  void listen(const std::shared_ptr<Run>& run);

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  std::filesystem::path directory_;
  base::UniqueFd opened_;  ///< that directory
  std::unique_ptr<Launcher> launcher_;
  std::map<std::string, std::shared_ptr<Run>, std::less<>> runs_;
  bool stopping_ = false;
  io::Gate gate_;
};

}  // namespace build::runs
