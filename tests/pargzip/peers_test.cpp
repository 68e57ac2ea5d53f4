// Files exchanged with other programs, both ways.
#include <doctest/doctest.h>

#include <cstdlib>

#include "gzip_bytes.h"
#include "support/support.h"

using namespace testing;

namespace {

bool shell(const std::string& command) { return std::system(command.c_str()) == 0; }

std::string content() { return text(3'000'000) + noise(200'000) + std::string(100'000, '\0'); }

}  // namespace

TEST_CASE("gzip, pigz and bgzip read what Writer wrote") {
  const TempDir dir;
  for (const std::string program : {"gzip", "pigz", "bgzip"}) {
    CAPTURE(program);
    if (!shell("command -v " + program + " >/dev/null")) {
      skip("reading by " + program, "it is not installed");
      continue;
    }
    for (const pargzip::WriterOptions& options :
         {pargzip::WriterOptions{}, {.level = 0, .chunk_size = 5000}, {.level = 9, .compat = true}}) {
      write_file(dir / "a.gz", compressed(content(), options));
      REQUIRE(shell(program + " -dc <'" + (dir / "a.gz").string() + "' >'" + (dir / "a").string() + "'"));
      CHECK((read_file(dir / "a") == content()));
    }
    write_file(dir / "a.gz", compressed(""));
    REQUIRE(shell(program + " -dc <'" + (dir / "a.gz").string() + "' >'" + (dir / "a").string() + "'"));
    CHECK(read_file(dir / "a").empty());
  }
}

TEST_CASE("what gzip, pigz and bgzip wrote is read, with one thread and with several") {
  const TempDir dir;
  write_file(dir / "a", content());
  for (const std::string command :
       {"gzip -1", "gzip -9", "pigz -p 2", "pigz -p 2 -i", "pigz -11 -b 512", "bgzip -@ 2", "bgzip -l 0"}) {
    CAPTURE(command);
    const std::string program = command.substr(0, command.find(' '));
    if (!shell("command -v " + program + " >/dev/null")) {
      skip("files by " + program, "it is not installed");
      continue;
    }
    if (!shell(command + " -c <'" + (dir / "a").string() + "' >'" + (dir / "a.gz").string() + "' 2>/dev/null")) {
      FAIL_CHECK("it failed");
      continue;
    }
    const std::string file = read_file(dir / "a.gz");
    for (const unsigned threads : {1, 2}) {
      const Outcome outcome = read_all(file, {.threads = threads});
      CHECK((outcome.output == content()));
      CHECK_FALSE(outcome.error);
      CHECK(outcome.bytes_in == file.size());
    }
  }
}
