#include "command.h"

#include "text.h"

#include <unistd.h>
#include <array>
#include <csignal>

namespace build::git {

namespace {

constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin";
constexpr std::size_t kBufferSize = 64 * 1024;
constexpr std::size_t kMaxErrorText = 64 * 1024;

/// What git may know of this process's surroundings: where programs, keys and .netrc are, and the way to the network.
constexpr std::array kPassedOn{"PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "TMPDIR", "http_proxy",
                               "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
                               "SSL_CERT_DIR", "SSL_CERT_FILE",
                               // What git itself reads; the two before are for what it runs.
                               "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"};

base::Environment git_environment(const base::Environment& surroundings, const std::filesystem::path& configuration) {
  base::Environment environment;
  for (const char* name : kPassedOn)
    if (const auto value = base::find_variable(surroundings, name)) base::set_variable(environment, name, *value);
  if (!base::find_variable(environment, "PATH")) base::set_variable(environment, "PATH", kDefaultPath);
  base::set_variable(environment, "LC_ALL", "C");
  base::set_variable(environment, "GIT_CONFIG_NOSYSTEM", "1");
  // Not by GIT_CONFIG_COUNT: git takes that away from the upload-pack it starts for a local repository, which is
  // where safe.directory counts.
  base::set_variable(environment, "GIT_CONFIG_GLOBAL", configuration.string());
  base::set_variable(environment, "GIT_ATTR_NOSYSTEM", "1");
  base::set_variable(environment, "GIT_TERMINAL_PROMPT", "0");
  base::set_variable(environment, "GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
  base::set_variable(environment, "GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
  base::set_variable(environment, "GIT_OPTIONAL_LOCKS", "0");
  base::set_variable(environment, "GIT_NO_REPLACE_OBJECTS", "1");
  return environment;
}

std::string quoted_value(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n')
      quoted += "\\n";
    else
      quoted += c;
  }
  return quoted + '"';
}

}  // namespace

base::Environment process_environment() { return base::environment_from(environ); }

std::string configuration_text(const std::vector<std::filesystem::path>& trusted) {
  std::string text =
      "[core]\n\tattributesFile = /dev/null\n\thooksPath = /dev/null\n"
      // In the foreground, where it is counted and killed with the rest.
      "[gc]\n\tautoDetach = false\n[maintenance]\n\tautoDetach = false\n"
      "[tar]\n\tumask = 0022\n[safe]\n";
  for (const auto& directory : trusted) text += "\tdirectory = " + quoted_value(directory.string()) + "\n";
  return text;
}

Mirror::Command::Command(io::Executor executor, io::Clock& clock, const base::Environment& environment,
                         const std::filesystem::path& configuration)
    : executor_(std::move(executor)),
      clock_(clock),
      environment_(git_environment(environment, configuration)),
      search_path_(*base::find_variable(environment_, "PATH")) {}

base::SubprocessSpec Mirror::Command::spec(std::vector<std::string> argv) const {
  base::SubprocessSpec spec;
  spec.argv = std::move(argv);
  spec.search_path = search_path_;
  spec.environment = environment_;
  spec.directory = "/";
  spec.error = base::SubprocessSpec::Error::pipe;
  return spec;
}

io::Task<base::RunResult> Mirror::Command::run(std::vector<std::string> arguments, io::Duration limit,
                                               std::size_t output_bytes, std::string input) {
  arguments.insert(arguments.begin(), "git");
  base::SubprocessSpec command = spec(std::move(arguments));
  if (!input.empty()) command.input = base::SubprocessSpec::Input::pipe;
  const base::RunLimits limits{.time = limit, .output_bytes = output_bytes};
  try {
    co_return co_await base::run_command(executor_, clock_, std::move(command), limits, std::move(input));
  } catch (const base::StartError& error) {
    throw GitError(std::string("cannot run git: ") + error.what());
  }
}

io::Task<base::RunResult> Mirror::Command::run_program(std::vector<std::string> argv, io::Duration limit) {
  base::SubprocessSpec command = spec(std::move(argv));
  const base::RunLimits limits{.time = limit};
  co_return co_await base::run_command(executor_, clock_, std::move(command), limits);
}

std::unique_ptr<base::Subprocess> Mirror::Command::start(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "git");
  try {
    return base::Subprocess::start(executor_, spec(std::move(arguments)));
  } catch (const base::StartError& error) {
    throw GitError(std::string("cannot run git: ") + error.what());
  }
}

Mirror::Output::Output(Command& git, std::vector<std::string> arguments, std::string purpose, io::Duration limit)
    : purpose_(std::move(purpose)),
      process_(git.start(std::move(arguments))),
      buffer_(kBufferSize, '\0'),
      deadline_(git.clock(), git.executor(), limit, [this] {
        process_->kill_group(SIGKILL);
        process_->stop_reading();
      }) {}

io::Task<std::string_view> Mirror::Output::next() {
  const io::asio::mutable_buffer into = io::asio::buffer(buffer_);
  const std::size_t size = co_await process_->read_output(into);
  if (size == 0) co_await check_end();
  co_return std::string_view(buffer_).substr(0, size);
}

io::Task<> Mirror::Output::check_end() {
  // What git says on stderr fits the pipe; if ever it does not, the deadline ends the wait.
  base::RunResult result;
  const io::asio::mutable_buffer into = io::asio::buffer(buffer_);
  for (;;) {
    const std::size_t size = co_await process_->read_error(into);
    if (size == 0) break;
    if (result.error.size() < kMaxErrorText) result.error.append(buffer_, 0, size);
  }
  result.status = co_await process_->wait();
  result.timed_out = deadline_.expired();
  deadline_.disarm();
  require_ok(result, purpose_);
}

void require_ok(const base::RunResult& result, const std::string& purpose) {
  if (result.ok()) return;
  if (result.timed_out) throw GitError("cannot " + purpose + ": git took too long and was stopped");
  if (result.too_much_output) throw GitError("cannot " + purpose + ": git printed too much");
  std::string said = last_lines(result.error);
  if (said.empty()) said = "git ended with " + result.status.str();
  throw GitError("cannot " + purpose + ": " + said);
}

}  // namespace build::git
