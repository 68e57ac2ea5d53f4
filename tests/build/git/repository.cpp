#include "repository.h"

#include <unistd.h>

namespace testing {

using namespace build;

Shell::Shell(io::EventLoop& loop, std::filesystem::path directory) : loop_(loop), directory_(std::move(directory)) {
  const char* path = ::getenv("PATH");
  environment_ = {std::string("PATH=") + (path ? path : "/usr/bin:/bin"),
                  "LC_ALL=C",
                  "HOME=/nonexistent",
                  "GIT_CONFIG_NOSYSTEM=1",
                  "GIT_CONFIG_GLOBAL=/dev/null",
                  "GIT_AUTHOR_NAME=A U Thor",
                  "GIT_AUTHOR_EMAIL=author@example.com",
                  "GIT_COMMITTER_NAME=C O Mitter",
                  "GIT_COMMITTER_EMAIL=committer@example.com"};
}

std::string Shell::run(std::vector<std::string> argv, std::string input) {
  base::SubprocessSpec spec;
  spec.argv = argv;
  spec.environment = environment_;
  spec.search_path = *base::find_variable(environment_, "PATH");
  spec.directory = directory_;
  spec.error = base::SubprocessSpec::Error::pipe;
  if (!input.empty()) spec.input = base::SubprocessSpec::Input::pipe;
  base::RunResult result;
  const auto task = [&]() -> io::Task<> {
    const base::RunLimits limits;
    result = co_await base::run_command(loop_.executor(), clock_, spec, limits, input);
  };
  loop_.run_until_done(task());
  if (!result.ok()) {
    std::string command;
    for (const std::string& word : argv) command += word + " ";
    throw std::runtime_error(command + "failed: " + result.status.str() + ": " + result.error + result.output);
  }
  if (result.output.ends_with('\n')) result.output.pop_back();
  return result.output;
}

Repository::Repository(io::EventLoop& loop, const std::filesystem::path& directory, std::string object_format)
    : shell_(loop, directory) {
  std::filesystem::create_directories(directory);
  git({"init", "--quiet", "--template=", "--initial-branch=main", "--object-format=" + object_format});
}

std::string Repository::git(std::vector<std::string> arguments, std::string input) {
  arguments.insert(arguments.begin(), "git");
  return shell_.run(std::move(arguments), std::move(input));
}

void Repository::write(const std::string& file, std::string_view content) { write_file(path() / file, content); }

model::CommitHash Repository::commit(const std::string& message) {
  // Each a minute after the one before.
  time_ += 60;
  const std::string date = std::to_string(time_) + " +0000";
  base::set_variable(shell_.environment(), "GIT_AUTHOR_DATE", date);
  base::set_variable(shell_.environment(), "GIT_COMMITTER_DATE", date);
  git({"add", "--all"});
  git({"commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file=-"}, message);
  return model::CommitHash(git({"rev-parse", "HEAD"}));
}

MirrorFixture::MirrorFixture(std::string object_format)
    : origin(loop, dir / "origin", std::move(object_format)), shell(loop, dir.path()) {}

git::Mirror MirrorFixture::make_mirror(const std::string& url) {
  return {loop.executor(),
          clock,
          model::RepositoryName("demo"),
          git::Location::parse(url.empty() ? origin.path().string() : url),
          dir / "mirror",
          shell.environment()};
}

std::string MirrorFixture::error_of(io::Task<> task) {
  try {
    run(std::move(task));
  } catch (const std::exception& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

}  // namespace testing
