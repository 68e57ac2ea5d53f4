// Sends a tree of files to a worker, runs a command there in it, shows what it prints, and leaves nothing behind:
//   remote_run HOST:PORT TREE.tar.gz COMMAND [ARGUMENT]...       (with the worker's password in $WORKER_PASSWORD)
// Ends with 0 if the command did, with 1 if it failed, with 2 if the worker is to blame.
#include <build/buildlet/blocking.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>

using namespace build::buildlet;

int report(const RunResult& result) {
  switch (result.outcome) {
    case RunOutcome::succeeded:
      std::cerr << "succeeded\n";
      return 0;
    case RunOutcome::failed:
      std::cerr << "failed: " << result.text << (result.killed.empty() ? "" : ", because " + result.killed) << "\n";
      return 1;
    case RunOutcome::could_not_run:
      std::cerr << "could not be run: " << result.text << "\n";
      return 1;
    case RunOutcome::lost:
      std::cerr << "lost: " << result.text << "\n";
      return 2;
  }
  return 2;
}

int main(int count, char** args) try {
  if (count < 4) throw std::invalid_argument("usage: remote_run HOST:PORT TREE.tar.gz COMMAND [ARGUMENT]...");
  Access access{.address = io::HostPort::parse(args[1])};
  if (const char* password = std::getenv("WORKER_PASSWORD")) access.password = password;
  BlockingWorker worker(access);
  if (!worker.keep_runs()) std::cerr << "this worker keeps no runs: a connection that breaks loses the command\n";
  std::ifstream tree(args[2], std::ios::binary);
  if (!tree) throw std::runtime_error(std::string("cannot read ") + args[2]);
  worker.put_tgz("tree", tree);
  RunSpec spec{.cmd = args[3], .args = {args + 4, args + count}, .env = {}, .dir = "tree", .path = {}};
  spec.level = RunSpec::Level::system;
  const RunResult result = worker.run(spec, [](std::string_view output) { std::cout << output << std::flush; });
  worker.remove_all({"tree"});
  worker.end_lease();
  return report(result);
} catch (const std::exception& error) {
  std::cerr << "remote_run: " << error.what() << "\n";
  return 2;
}
