// tar_tree pack DIRECTORY [THREADS] >ARCHIVE, tar_tree extract DIRECTORY [THREADS] <ARCHIVE: libtarutil and nothing
// else, for bench/tarutil.py.
#include <tarutil/extract.h>
#include <tarutil/pack.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::size_t read_input(std::span<char> into) {
  const ssize_t got = ::read(STDIN_FILENO, into.data(), into.size());
  if (got < 0) fail("reading");
  return static_cast<std::size_t>(got);
}

void write_output(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0) fail("writing");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void run(std::string_view command, const char* name, unsigned threads) {
  const tarutil::Fd directory(::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) fail(name);
  if (command == "pack") {
    tarutil::pack(directory.get(), ".", {.gzip = {.threads = threads}}, write_output);
  } else {
    tarutil::ExtractOptions options;
    options.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    options.threads = threads;
    tarutil::extract(read_input, directory.get(), options);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view command = count > 2 ? arguments[1] : "";
  if (command != "pack" && command != "extract") {
    std::fputs("usage: tar_tree pack|extract DIRECTORY [THREADS]\n", stderr);
    return 2;
  }
  try {
    run(command, arguments[2], count > 3 ? static_cast<unsigned>(std::atoi(arguments[3])) : 0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tar_tree: %s\n", error.what());
    return 1;
  }
  return 0;
}
