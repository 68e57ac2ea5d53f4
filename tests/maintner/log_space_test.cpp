#include "log_space.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

using build::base::UniqueFd;
using maintner::LogSpace;

namespace {

UniqueFd open_file(const std::filesystem::path& file) { return UniqueFd(::open(file.c_str(), O_RDWR | O_CLOEXEC)); }

bool all_are(std::string_view bytes, char c) { return bytes.find_first_not_of(c) == bytes.npos; }

/// What ends a process that does this.
template <typename F>
int signal_of(F deed) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    deed();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/// Reads where a file of one page, mapped by somebody else, was cut.
void stumble_elsewhere(const std::filesystem::path& file) {
  testing::write_file(file, std::string(100, 'x'));
  const UniqueFd fd = open_file(file);
  const auto* foreign = static_cast<const volatile char*>(::mmap(nullptr, 100, PROT_READ, MAP_PRIVATE, fd.get(), 0));
  if (::ftruncate(fd.get(), 0) == 0) static_cast<void>(foreign[0]);
}

}  // namespace

TEST_CASE("files lie one behind the other, each in one piece, and a position is enough to find a byte") {
  testing::TempDir temp;
  LogSpace space;
  std::vector<std::string_view> views;
  for (const std::size_t size : {0, 1, 4096, 4097, 100'000}) {
    testing::write_file(temp / "f", std::string(size, 'a'));
    const UniqueFd fd = open_file(temp / "f");
    const std::uint64_t begin = space.add(fd, size, temp / "f");
    views.emplace_back(space.at(begin), size);
    std::filesystem::remove(temp / "f");
  }
  for (const std::string_view view : views) {
    CHECK(all_are(view, 'a'));
    CHECK(space.at(space.position_of(view.data())) == view.data());
    CHECK(space.position_of(view.data()) < LogSpace::kCapacity);
  }
  CHECK_THROWS_AS(space.add(UniqueFd(), 1, "nothing"), std::system_error);
}

TEST_CASE("the last file grows where it lies") {
  testing::TempDir temp;
  const auto file = temp / "log";
  testing::write_file(file, "");
  const UniqueFd fd = open_file(file);
  LogSpace space;
  const std::uint64_t begin = space.add(fd, 0, file);
  std::string content;
  for (int i = 0; i < 300; ++i) {
    content += std::string(static_cast<std::size_t>(i) * 7, static_cast<char>('a' + i % 26));
    testing::write_file(file, content);
    space.extend(fd, content.size(), file);
    CHECK(std::string_view(space.at(begin), content.size()) == content);
  }
  CHECK_THROWS_WITH(space.extend(fd, content.size() + 1, file), doctest::Contains("has become shorter"));
  const std::uint64_t next = space.add(fd, content.size(), file);
  CHECK(next >= begin + content.size());
  CHECK(std::string_view(space.at(next), content.size()) == content);
}

TEST_CASE("what is kept never moves") {
  LogSpace space;
  std::vector<std::pair<std::string_view, std::string>> kept;
  for (int i = 0; i < 2000; ++i) {
    std::string text(static_cast<std::size_t>(i) * 3, static_cast<char>('a' + i % 26));
    kept.emplace_back(space.keep(text), text);
  }
  const std::string large(5'000'000, 'z');
  kept.emplace_back(space.keep(large), large);
  kept.emplace_back(space.keep("after"), "after");
  for (const auto& [view, text] : kept) CHECK(view == text);
}

TEST_CASE("a space that is full says so") {
  LogSpace space(6 << 20);
  CHECK(space.keep(std::string(2 << 20, 'x')).size() == 2 << 20);
  CHECK_THROWS_AS(space.keep(std::string(2 << 20, 'x')), std::system_error);
  CHECK(space.keep("x") == "x");
}

TEST_CASE("a file that is cut while it is mapped kills nobody, and is told") {
  testing::TempDir temp;
  const auto file = temp / "log";
  testing::write_file(file, std::string(100'000, 'a'));
  LogSpace space, other;
  const UniqueFd fd = open_file(file);
  const std::string_view view(space.at(space.add(fd, 100'000, file)), 100'000);
  CHECK(all_are(view, 'a'));
  REQUIRE(::ftruncate(fd.get(), 4096) == 0);
  CHECK_FALSE(space.damaged());
  errno = 77;
  CHECK(view[50'000] == '\0');
  CHECK(errno == 77);
  CHECK(space.damaged());
  CHECK_FALSE(other.damaged());
  CHECK(all_are(view.substr(0, 4096), 'a'));
  // The last page is a copy.
  CHECK(all_are(view.substr(4096, 90'000), '\0'));
}

TEST_CASE("many threads may stumble over the same cut") {
  testing::TempDir temp;
  const auto file = temp / "log";
  constexpr std::size_t kSize = 4 << 20;
  testing::write_file(file, std::string(kSize, 'a'));
  LogSpace space;
  const UniqueFd fd = open_file(file);
  const std::string_view view(space.at(space.add(fd, kSize, file)), kSize);
  REQUIRE(::ftruncate(fd.get(), 0) == 0);
  std::atomic<int> zero{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { zero += all_are(view, '\0') ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  CHECK(zero == 4);
  CHECK(space.damaged());
}

TEST_CASE("a bus error elsewhere is what it was before") {
  testing::TempDir temp;
  CHECK(signal_of([&] {
          const LogSpace space;
          stumble_elsewhere(temp / "a");
        }) != 0);
  CHECK(signal_of([] {
          const LogSpace space;
          ::raise(SIGBUS);
        }) != 0);
}
