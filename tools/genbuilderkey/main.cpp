#include <build/base/builder_key.h>
#include <build/base/cli.h>

#include <cstdlib>
#include <exception>
#include <iostream>

namespace base = build::base;

namespace {

std::filesystem::path standard_master_key_file() {
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "" : home) / "keys" / "gobuilder-master.key";
}

}  // namespace

int main(int argc, char** argv) {
  base::CommandLine cli("genbuilderkey", "Prints the builder key that a worker or a person registers with.");
  std::filesystem::path master_key_file = standard_master_key_file();
  std::vector<std::string> names;
  cli.path("master-key-file", master_key_file, "FILE", "the file that holds the master key");
  cli.positional(names, "NAME", "a host type, or user-NAME for a person", {.min = 1, .max = 1});
  cli.example("genbuilderkey host-linux-amd64", "the key of workers of that host type");
  cli.example("genbuilderkey -master-key-file /etc/xbuild/master.key user-gopher", "a person's key");
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  if (names.front().empty()) return cli.usage_error("NAME is empty");

  try {
    std::cout << base::builder_key(base::read_master_key(master_key_file), names.front()) << "\n" << std::flush;
  } catch (const std::exception& error) {
    std::cerr << "genbuilderkey: " << error.what() << "\n";
    return 1;
  }
  return std::cout.good() ? 0 : 1;
}
