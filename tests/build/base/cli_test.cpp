#include <build/base/cli.h>

#include <doctest/doctest.h>

#include <sstream>

using namespace build::base;
using namespace std::chrono_literals;

namespace {

/// A command line of every kind of flag, and what came of parsing it.
struct Parsed {
  std::string name = "standard", colour = "red";
  std::int64_t count = 3;
  bool halt = true, verbose = false;
  std::chrono::nanoseconds limit = 5s;
  std::filesystem::path file = "/etc/x";
  std::vector<std::string> steps, operands;
  std::optional<int> exit_code;
  std::string out, err;
  bool count_given = false;

  explicit Parsed(std::vector<const char*> arguments, CommandLine::Count operand_count = {}) {
    CommandLine cli("tool", "Does things.");
    cli.text("name", name, "TEXT", "a name");
    cli.integer("count", count, "N", "how many", 0, 10);
    cli.toggle("halt", halt, "halt");
    cli.toggle("verbose", verbose, "say more");
    cli.duration("limit", limit, "TIME", "how long");
    cli.path("file", file, "FILE", "a file");
    cli.choice("colour", {"red", "blue"}, "red", "a colour", [this](const std::string& value) { colour = value; });
    cli.repeated("step", steps, "CMD", "a step");
    if (operand_count.max > 0) cli.positional(operands, "THING", "what to do", operand_count);
    cli.example("tool -count 4", "four of them");
    arguments.insert(arguments.begin(), "tool");
    std::ostringstream out_stream, err_stream;
    exit_code = cli.parse(static_cast<int>(arguments.size()), arguments.data(), out_stream, err_stream);
    out = out_stream.str();
    err = err_stream.str();
    count_given = cli.given("count");
  }
};

}  // namespace

TEST_CASE("flags that are not given keep their defaults") {
  const Parsed parsed({});
  CHECK_FALSE(parsed.exit_code);
  CHECK(parsed.name == "standard");
  CHECK(parsed.count == 3);
  CHECK(parsed.halt);
  CHECK(parsed.limit == 5s);
  CHECK(parsed.file == "/etc/x");
  CHECK_FALSE(parsed.count_given);
}

TEST_CASE("one dash or two, a blank or an equals sign: all the same") {
  for (const auto& arguments : std::vector<std::vector<const char*>>{{"-name", "x", "-count", "4"},
                                                                     {"--name", "x", "--count", "4"},
                                                                     {"-name=x", "-count=4"},
                                                                     {"--name=x", "--count=4"}}) {
    const Parsed parsed(arguments);
    CHECK_FALSE(parsed.exit_code);
    CHECK(parsed.name == "x");
    CHECK(parsed.count == 4);
    CHECK(parsed.count_given);
  }
}

TEST_CASE("a choice is one of those there are") {
  CHECK(Parsed({}).colour == "red");
  CHECK(Parsed({"-colour=blue"}).colour == "blue");
}

TEST_CASE("the flags of the log change its options") {
  const auto parsed = [](std::vector<const char*> arguments) {
    CommandLine cli("tool", "Does things.");
    LogOptions options;
    add_log_flags(cli, options);
    arguments.insert(arguments.begin(), "tool");
    std::ostringstream out, err;
    CHECK_FALSE(cli.parse(static_cast<int>(arguments.size()), arguments.data(), out, err));
    return options;
  };
  CHECK(parsed({}).format == LogFormat::text);
  CHECK(parsed({}).level == LogLevel::info);
  CHECK(parsed({"-log-format", "json"}).format == LogFormat::json);
  CHECK(parsed({"-log-level", "error"}).level == LogLevel::error);
  CHECK(parsed({"-log-level", "warning"}).level == LogLevel::warning);
}

TEST_CASE("switches are written as Go's") {
  CHECK_FALSE(Parsed({"-halt=false"}).halt);
  CHECK_FALSE(Parsed({"--halt=0"}).halt);
  CHECK(Parsed({"-halt"}).halt);
  CHECK(Parsed({"-verbose"}).verbose);
  CHECK(Parsed({"-verbose=T"}).verbose);
  CHECK_FALSE(Parsed({"-verbose", "-verbose=false"}).verbose);
  // The value of a switch never stands apart.
  const Parsed apart({"-verbose", "false"});
  CHECK(apart.verbose);
  CHECK(apart.operands == std::vector<std::string>{"false"});
}

TEST_CASE("values may be empty, contain equals signs or look like flags") {
  CHECK(Parsed({"-name="}).name.empty());
  CHECK(Parsed({"-name", ""}).name.empty());
  CHECK(Parsed({"-name=a=b"}).name == "a=b");
  CHECK(Parsed({"-name", "a=b"}).name == "a=b");
  CHECK(Parsed({"-name", "-x"}).name == "-x");
  CHECK(Parsed({"-name", "-"}).name == "-");
}

TEST_CASE("the last occurrence wins, and repeated flags keep all in order") {
  CHECK(Parsed({"-count", "4", "-count=5"}).count == 5);
  CHECK(Parsed({"-step", "make", "-step=make test"}).steps == std::vector<std::string>{"make", "make test"});
}

TEST_CASE("operands stand anywhere, and after two dashes everything is one") {
  CHECK(Parsed({"a", "-count", "4", "b"}).operands == std::vector<std::string>{"a", "b"});
  CHECK(Parsed({"--", "-count", "-"}).operands == std::vector<std::string>{"-count", "-"});
  CHECK(Parsed({"-"}).operands == std::vector<std::string>{"-"});
}

TEST_CASE("a wrong command line is one line on stderr and exit code 2") {
  struct Case {
    std::vector<const char*> arguments;
    const char* says;
  };
  const Case cases[] = {
      {{"-nmae", "x"}, "unknown flag -nmae, did you mean -name?"},
      {{"--hlat=false"}, "unknown flag -hlat, did you mean -halt?"},
      {{"-nam=x"}, "unknown flag -nam, did you mean -name?"},
      {{"-somethingelse"}, "unknown flag -somethingelse"},
      {{"-count"}, "flag -count needs a value"},
      {{"-count", "four"}, "flag -count: \"four\" is not a whole number"},
      {{"-count", "4x"}, "flag -count: \"4x\" is not a whole number"},
      {{"-count="}, "flag -count: \"\" is not a whole number"},
      {{"-count", "11"}, "flag -count: \"11\" is not between 0 and 10"},
      {{"-count", "-1"}, "flag -count: \"-1\" is not between 0 and 10"},
      {{"-count", "99999999999999999999"}, "flag -count: \"99999999999999999999\" is not a whole number"},
      {{"-halt=maybe"}, "flag -halt: \"maybe\" is not true or false"},
      {{"-colour", "rde"}, "flag -colour: \"rde\" is not one of red|blue, did you mean red?"},
      {{"-colour", "green"}, "flag -colour: \"green\" is not one of red|blue"},
      {{"-limit", "5"}, "flag -limit: \"5\" is not a duration such as 300ms, 90s or 1h30m"},
  };
  for (const Case& each : cases) {
    const Parsed parsed(each.arguments);
    CHECK(parsed.exit_code == kExitUsage);
    CHECK(parsed.err == std::string("tool: ") + each.says + "; tool -help shows the usage\n");
    CHECK(parsed.out.empty());
  }
}

TEST_CASE("too few and too many operands are refused") {
  CHECK(Parsed({}, {.min = 1, .max = 1}).err.starts_with("tool: missing argument THING;"));
  CHECK(Parsed({"a", "b"}, {.min = 1, .max = 1}).err.starts_with("tool: unexpected argument \"b\";"));
  const Parsed none({"a"}, {.min = 0, .max = 0});
  CHECK(none.exit_code == kExitUsage);
  CHECK(none.err.starts_with("tool: unexpected argument \"a\";"));
}

TEST_CASE("help names every flag, its default and the example, on stdout") {
  for (const char* asked : {"-help", "--help", "-h"}) {
    const Parsed parsed({asked});
    CHECK(parsed.exit_code == 0);
    CHECK(parsed.err.empty());
    for (const char* part :
         {"Does things.", "Usage: tool [flags] THING...", "-name TEXT", "(default standard)", "(default 5s)",
          "-colour red|blue", "-step CMD", "(may be repeated)", "tool -count 4", "-version"}) {
      CHECK_MESSAGE(parsed.out.find(part) != std::string::npos, part);
    }
  }
}

TEST_CASE("help is given even where operands are missing") {
  CHECK(Parsed({"-help"}, {.min = 1, .max = 1}).exit_code == 0);
}

TEST_CASE("the version is printed on stdout") {
  const Parsed parsed({"-version"});
  CHECK(parsed.exit_code == 0);
  CHECK(parsed.out.starts_with("tool (xbuild) "));
}

TEST_CASE("durations are read as Go writes them") {
  struct Case {
    const char* text;
    std::optional<std::chrono::nanoseconds> wanted;
  };
  const Case cases[] = {
      {"0", 0ns},   {"300ms", 300ms}, {"1.5h", 90min}, {"2h45m", 165min}, {"-1s", -1s},        {"+1s", 1s},
      {"1us", 1us}, {"1µs", 1us},     {"7ns", 7ns},    {".5s", 500ms},    {"1m0.5s", 60500ms}, {"", {}},
      {"5", {}},    {"s", {}},        {"1.2.3s", {}},  {"1s ", {}},       {"1d", {}},          {"9999999h", {}},
      {"-", {}},    {"1e3s", {}},     {".s", {}},      {"nans", {}},
  };
  for (const Case& each : cases) {
    INFO(each.text);
    CHECK((parse_duration(each.text) == each.wanted));
  }
}
