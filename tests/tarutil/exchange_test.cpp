// Archives going back and forth between us, GNU tar and bsdtar.
#include <tarutil/extract.h>
#include <tarutil/pack.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>

#include <fcntl.h>

#include "support/support.h"

using namespace tarutil;
namespace fs = std::filesystem;

namespace {

Fd directory(const fs::path& path) { return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

std::string packed(const fs::path& path) {
  std::string all;
  pack(directory(path).get(), ".", {}, [&](std::string_view bytes) { all += bytes; });
  return all;
}

void extracted(const std::string& archive, const fs::path& into) {
  std::size_t at = 0;
  const auto source = [&](std::span<char> to) {
    const std::size_t size = std::min(to.size(), archive.size() - at);
    archive.copy(to.data(), size, at);
    at += size;
    return size;
  };
  ExtractOptions options;
  options.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  extract(source, directory(into).get(), options);
}

struct Exchange {
  Exchange() {
    testing::write_file(dir / "tree/deep/tool", std::string(3'000'000, 'x') + "end");
    fs::permissions(dir / "tree/deep/tool", fs::perms(0750));
    testing::write_file(dir / "tree/empty", "");
    testing::write_file(dir / "tree/gr\xc3\xbc\xc3\x9f", "composed");
    testing::write_file(dir / "tree/gru\xcc\x88\xc3\x9f", "not composed");
    testing::write_file(dir / ("tree/" + std::string(200, 'n') + "/" + std::string(200, 'm')), "long");
    fs::create_symlink("deep/tool", dir / "tree/link");
    fs::create_directory(dir / "out");
  }

  /// In the directory; what the programs say is in "said".
  int shell(const std::string& command) const {
    return std::system(("cd '" + dir.path().string() + "' && LC_ALL=C.UTF-8 " + command + " >said 2>&1").c_str());
  }

  /// Names, kinds, modes, whole seconds of files' times, links and contents.
  void check_out() const {
    CHECK(shell("diff -r --no-dereference tree out") == 0);
    CHECK(testing::read_file(dir / "said").empty());
    const auto list = [&](const std::string& top) {
      CHECK(shell("find " + top + " -type f -printf '%P %m %Ts\\n' -o -mindepth 1 -printf '%P %y %l\\n' | sort") == 0);
      return testing::read_file(dir / "said");
    };
    CHECK(list("tree") == list("out"));
    CHECK(list("tree").find("deep/tool 750 ") != std::string::npos);
  }

  testing::TempDir dir;
};

}  // namespace

TEST_CASE("what we pack is unpacked by GNU tar and bsdtar without a word") {
  for (const std::string program : {"tar", "bsdtar"}) {
    CAPTURE(program);
    const Exchange exchange;
    // bsdtar composes the characters of what it reads.
    if (program == "bsdtar") fs::remove(exchange.dir / "tree/gru\xcc\x88\xc3\x9f");
    testing::write_file(exchange.dir / "ours.tar.gz", packed(exchange.dir / "tree"));
    CHECK(exchange.shell(program + " -xpzf ours.tar.gz -C out") == 0);
    CHECK(testing::read_file(exchange.dir / "said").empty());
    exchange.check_out();
  }
}

TEST_CASE("what GNU tar and bsdtar pack, in each of their formats, is unpacked by us, in any locale") {
  for (const char* locale : {"C.UTF-8", "C"}) {
    CAPTURE(locale);
    REQUIRE(std::setlocale(LC_ALL, locale) != nullptr);
    for (const std::string program :
         {"tar --format=gnu", "tar --format=pax", "bsdtar --format=gnutar", "bsdtar --format=pax"}) {
      CAPTURE(program);
      const Exchange exchange;
      CHECK(exchange.shell(program + " -czf theirs.tar.gz -C tree .") == 0);
      extracted(testing::read_file(exchange.dir / "theirs.tar.gz"), exchange.dir / "out");
      exchange.check_out();
    }
  }
}
