#include <build/base/log.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

using namespace build::base;

namespace {

std::chrono::sys_time<std::chrono::milliseconds> a_time() {
  return std::chrono::sys_days{std::chrono::year{2026} / 2 / 3} + std::chrono::milliseconds{3'723'004};
}

struct Log {
  explicit Log(LogOptions options = {})
      : logger(
            a_time, [this](std::string_view line) { lines += line; }, options) {}

  std::string lines;
  Logger logger;
};

/// What becomes of `value`, without what is around it.
std::string written(std::string_view value, LogFormat format) {
  Log log({.format = format});
  log.logger.info("m", {{"value", std::string(value)}});
  const std::string before = format == LogFormat::text
                                 ? "time=2026-02-03T01:02:03.004Z level=info msg=\"m\" value="
                                 : "{\"time\":\"2026-02-03T01:02:03.004Z\",\"level\":\"info\",\"msg\":\"m\",\"value\":";
  const std::string after = format == LogFormat::text ? "\n" : "}\n";
  REQUIRE(log.lines.starts_with(before));
  REQUIRE(log.lines.ends_with(after));
  return log.lines.substr(before.size(), log.lines.size() - before.size() - after.size());
}

}  // namespace

TEST_CASE("log lines carry UTC time, level, sentence and fields, one line each") {
  Log log;
  log.logger.info("started");
  log.logger.warning("lost a worker", {{"worker", "mini-7"}, {"why", "it said \"bye\""}});
  log.logger.error("a\nforged line\x1b[2J", {{"name", "x\ny=z"}, {"empty", ""}});
  CHECK(log.lines ==
        "time=2026-02-03T01:02:03.004Z level=info msg=\"started\"\n"
        "time=2026-02-03T01:02:03.004Z level=warning msg=\"lost a worker\" worker=mini-7 why=\"it said \\\"bye\\\"\"\n"
        "time=2026-02-03T01:02:03.004Z level=error msg=\"a\\x0aforged line\\x1b[2J\" name=\"x\\x0ay=z\" empty=\"\"\n");
}

TEST_CASE("as JSON each line is an object") {
  Log log({.format = LogFormat::json});
  log.logger.warning("lost a \"worker\"", {{"worker", "mini-7"}, {"why", "a\nb"}});
  CHECK(log.lines ==
        "{\"time\":\"2026-02-03T01:02:03.004Z\",\"level\":\"warning\",\"msg\":\"lost a \\\"worker\\\"\","
        "\"worker\":\"mini-7\",\"why\":\"a\\u000ab\"}\n");
}

TEST_CASE("hostile text begins no line, no field and no escape sequence") {
  struct Case {
    const char* what;
    std::string_view value;
    const char *text, *json;
  };
  using namespace std::string_view_literals;
  const Case cases[] = {
      {"plain", "mini-7", R"(mini-7)", R"("mini-7")"},
      {"a field", "a level=error", R"("a level=error")", R"("a level=error")"},
      {"a quote and a field", "a\" level=\"error", R"("a\" level=\"error")", R"("a\" level=\"error")"},
      {"a backslash before the quote", "a\\", R"("a\\")", R"("a\\")"},
      {"an escape that only looks like one", "\\x0a", R"("\\x0a")", R"("\\x0a")"},
      {"a line", "a\r\n<0>time=", R"("a\x0d\x0a<0>time=")", R"("a\u000d\u000a<0>time=")"},
      {"NUL", "a\0b"sv, R"("a\x00b")", R"("a\u0000b")"},
      {"ANSI", "\x1b]0;title\x07", R"("\x1b]0;title\x07")", R"("\u001b]0;title\u0007")"},
      {"C1: CSI as one character",
       "\xc2\x9b"
       "2J",
       R"("\xc2\x9b2J")", R"("\u009b2J")"},
      {"DEL", "\x7f", R"("\x7f")", R"("\u007f")"},
      {"letters beyond ASCII", "Müller 日本", "\"Müller 日本\"", "\"Müller 日本\""},
      {"beyond 16 bits", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "\"\xf0\x9f\x98\x80\""},
      {"writing turned around", "\xe2\x80\xae", R"("\xe2\x80\xae")", R"("\u202e")"},
      {"isolates", "\xe2\x81\xa6", R"("\xe2\x81\xa6")", R"("\u2066")"},
      {"a line separator", "\xe2\x80\xa8", R"("\xe2\x80\xa8")", R"("\u2028")"},
      {"a tag character", "\xf3\xa0\x81\x81", R"("\xf3\xa0\x81\x81")", R"("\udb40\udc41")"},
      {"not UTF-8", "a\xff\xc3", R"("a\xff\xc3")", R"("a\ufffd\ufffd")"},
      {"overlong", "\xc0\x8a", R"("\xc0\x8a")", R"("\ufffd\ufffd")"},
      {"a surrogate", "\xed\xa0\x80", R"("\xed\xa0\x80")", R"("\ufffd\ufffd\ufffd")"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    CHECK(written(each.value, LogFormat::text) == each.text);
    CHECK(written(each.value, LogFormat::json) == each.json);
  }
}

TEST_CASE("a long text is cut, so that a line stays one in the journal") {
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const std::string all = written(std::string(1'000'000, '\n'), format);
    CHECK(all.size() < Logger::kMaxText + 100);
    CHECK(all.ends_with(" bytes more)\""));
  }
  CHECK(written(std::string(5000, 'x'), LogFormat::text) ==
        "\"" + std::string(Logger::kMaxText - 1, 'x') + "... (2953 bytes more)\"");
}

TEST_CASE("only lines that are urgent enough are written") {
  const auto levels = [](LogLevel level) {
    Log log({.level = level});
    log.logger.info("i");
    log.logger.warning("w");
    log.logger.error("e");
    return std::count(log.lines.begin(), log.lines.end(), '\n');
  };
  CHECK(levels(LogLevel::info) == 3);
  CHECK(levels(LogLevel::warning) == 2);
  CHECK(levels(LogLevel::error) == 1);
}

TEST_CASE("the journal gets a priority instead of the time") {
  Log log({.reader = LogOptions::Reader::journal});
  log.logger.info("i");
  log.logger.warning("w");
  log.logger.error("e");
  CHECK(log.lines == "<6>level=info msg=\"i\"\n<4>level=warning msg=\"w\"\n<3>level=error msg=\"e\"\n");
}

TEST_CASE("stderr is the journal's only if it is the file that JOURNAL_STREAM names") {
  struct stat file {};
  REQUIRE(::fstat(STDERR_FILENO, &file) == 0);
  const std::string own = std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
  CHECK(reader_of_stderr(own) == LogOptions::Reader::journal);
  for (const std::string& other : {std::string(), std::string("1:2"), own + "0", std::string("journal")})
    CHECK(reader_of_stderr(other) == LogOptions::Reader::person);
}
