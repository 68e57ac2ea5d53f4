// Running git for one mirror: its environment, its configuration, and how a failure is told.
#pragma once

#include <build/git/mirror.h>

#include <optional>

namespace build::git {

class Mirror::Command {
 public:
  /// `configuration` is where the file lies that is the whole of git's configuration beside the mirror's own.
  Command(io::Executor executor, io::Clock& clock, const base::Environment& environment,
          const std::filesystem::path& configuration);

  /// Runs git to its end; at most `limit`, at most `output_bytes` of output. `arguments` do not hold "git".
  io::Task<base::RunResult> run(std::vector<std::string> arguments, io::Duration limit, std::size_t output_bytes,
                                std::string input = {});
  /// The same for another program, found in the same path.
  io::Task<base::RunResult> run_program(std::vector<std::string> argv, io::Duration limit);

  /// Starts git; stderr is a pipe of its own.
  std::unique_ptr<base::Subprocess> start(std::vector<std::string> arguments);

  io::Executor executor() const { return executor_; }
  io::Clock& clock() const { return clock_; }

 private:
  base::SubprocessSpec spec(std::vector<std::string> argv) const;

  io::Executor executor_;
  io::Clock& clock_;
  base::Environment environment_;
  std::string search_path_;
};

/// What git prints, as it comes, within a time limit.
class Mirror::Output {
 public:
  /// `purpose` completes "cannot ...".
  Output(Command& git, std::vector<std::string> arguments, std::string purpose, io::Duration limit);

  /// The next piece, good until the next call; empty at the end, when git was successful. Throws GitError if not.
  io::Task<std::string_view> next();

 private:
  io::Task<> check_end();

  std::string purpose_;
  std::unique_ptr<base::Subprocess> process_;
  std::string buffer_;
  io::Deadline deadline_;
};

/// Throws GitError "cannot PURPOSE: what git said" unless the command went well.
void require_ok(const base::RunResult& result, const std::string& purpose);

/// The configuration for commands on `mirror` and on the local repositories `trusted`, which may belong to other users.
std::string configuration_text(const std::vector<std::filesystem::path>& trusted);

}  // namespace build::git
