#include <build/buildlet/sandbox.h>

#include <stdexcept>

namespace build::buildlet {

namespace {

const std::string& checked_absolute(const std::string& path) {
  if (!path.starts_with('/')) throw std::invalid_argument("a sandbox needs absolute paths, not \"" + path + "\"");
  return path;
}

}  // namespace

std::vector<std::string> sandboxed(const Sandbox& sandbox, const std::vector<std::string>& argv) {
  if (argv.empty()) throw std::invalid_argument("a sandbox needs a command");
  checked_absolute(argv.front());
  std::vector<std::string> line{sandbox.bwrap.string(), "--unshare-user-try",   "--unshare-pid",    "--unshare-ipc",
                                "--unshare-uts",        "--unshare-cgroup-try", "--die-with-parent"};
  if (sandbox.network == Sandbox::Network::none) line.emplace_back("--unshare-net");
  const auto add = [&line](const char* option, const std::string& path) {
    line.emplace_back(option);
    line.push_back(checked_absolute(path));
    line.push_back(path);
  };
  add("--ro-bind", "/");
  line.insert(line.end(), {"--dev", "/dev", "--proc", "/proc"});
  std::vector<std::filesystem::path> hidden{"/tmp", "/home", "/root", "/run"};
  hidden.insert(hidden.end(), sandbox.hidden.begin(), sandbox.hidden.end());
  for (const auto& path : hidden) {
    line.emplace_back("--tmpfs");
    line.push_back(checked_absolute(path.string()));
  }
  for (const auto& path : sandbox.secrets) {
    line.insert(line.end(), {"--ro-bind", "/dev/null"});
    line.push_back(checked_absolute(path.string()));
  }
  for (const auto& path : sandbox.readable) add("--ro-bind-try", path.string());
  for (const auto& path : sandbox.writable) add("--bind-try", path.string());
  // Last: it may lie below something that was hidden.
  add("--bind", sandbox.workdir.string());
  line.insert(line.end(), {"--chdir", checked_absolute(sandbox.directory), "--"});
  line.insert(line.end(), argv.begin(), argv.end());
  return line;
}

}  // namespace build::buildlet
