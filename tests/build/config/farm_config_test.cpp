#include <build/config/farm_config.h>
#include <doctest/doctest.h>

#include "support/support.h"

using namespace build;
using namespace std::chrono_literals;

namespace {

config::FarmConfig parse(const std::string& text) { return config::parse(text, "farm.toml", "/etc/farm"); }

}  // namespace

TEST_CASE("a file with everything in it is read") {
  const config::FarmConfig config = parse(R"(
[coordinator]
listen = "[::1]:0"
web_listen = ":8080"
state_dir = "/var/lib/farm"
tls_certificate = "tls/cert.pem"
tls_key = "/keys/../key.pem"
master_key_file = "master.key"
max_attempts = 5
lease = "2h"
drain_limit = "0s"

[retention]
log_days = 30
log_megabytes = 500
result_days = 365

[[builder]]
name = "linux"
host_type = "host-linux"
[builder.env]
CC = "gcc -std=c11"
EMPTY = ""

[[builder]]
name = "mac_2.0"
host_type = "host-mac"
env = { LINES = "one\ntwo" }

[[repository]]
name = "zlib"
url = "https://example.org/zlib.git"
branches = ["main", "release/1.x"]
builders = ["mac_2.0"]
first_sight = 0
poll_interval = "1h30m"
[[repository.step]]
name = "build"
command = """
./configure
make"""
time_limit = "90s"
[[repository.step]]
name = "test"
command = "make test"

[[repository]]
name = "local"
url = "../local"
[[repository.step]]
name = "test"
command = "true"
)");
  config::FarmConfig expected{
      .listen = "[::1]:0",
      .web_listen = ":8080",
      .state_dir = "/var/lib/farm",
      .tls_certificate = "/etc/farm/tls/cert.pem",
      .tls_key = "/key.pem",
      .master_key_file = "/etc/farm/master.key",
      .max_attempts = 5,
      .lease = 2h,
      .drain_limit = 0s,
      .retention = {.log_age = std::chrono::days(30), .log_bytes = 500'000'000, .result_age = std::chrono::days(365)},
  };
  const model::BuilderName linux_builder("linux"), mac("mac_2.0");
  expected.builders = {
      {linux_builder, model::HostType("host-linux"), {{"CC", "gcc -std=c11"}, {"EMPTY", ""}}},
      {mac, model::HostType("host-mac"), {{"LINES", "one\ntwo"}}},
  };
  expected.repositories = {
      {.name = model::RepositoryName("zlib"),
       .url = "https://example.org/zlib.git",
       .branches = {model::BranchName("main"), model::BranchName("release/1.x")},
       .builders = {mac},
       .steps = {{"build", "./configure\nmake", 90s}, {"test", "make test", 30min}},
       .first_sight = 0,
       .poll_interval = 90min},
      {.name = model::RepositoryName("local"),
       .url = "/etc/local",
       .builders = {linux_builder, mac},
       .steps = {{"test", "true", 30min}}},
  };
  CHECK(config == expected);
}

TEST_CASE("what is not given has its default") {
  const config::FarmConfig config = parse("[coordinator]\nstate_dir = \"state\"\n");
  CHECK(config == config::FarmConfig{.listen = "127.0.0.1:8119", .state_dir = "/etc/farm/state", .max_attempts = 3});
  CHECK(config.lease == 30min);
  CHECK(config.drain_limit == 10min);
  CHECK(config.retention == config::RetentionConfig{.log_age = std::chrono::days(90)});
}

TEST_CASE("what only a restart can change keeps its value, and is named") {
  const config::FarmConfig current = parse("[coordinator]\nstate_dir = \"state\"\nmax_attempts = 2\n");
  config::FarmConfig next = current;
  CHECK(config::keep_what_needs_a_restart(current, next).empty());
  next = parse("[coordinator]\nstate_dir = \"elsewhere\"\nlisten = \":1\"\nlease = \"5m\"\ndrain_limit = \"5s\"\n");
  CHECK(config::keep_what_needs_a_restart(current, next) ==
        std::vector<std::string>{"listen has changed and is taken over by the next start only",
                                 "state_dir has changed and is taken over by the next start only"});
  CHECK(next.listen == current.listen);
  CHECK(next.state_dir == current.state_dir);
  CHECK(next.max_attempts == 3);
  CHECK(next.lease == 5min);
  CHECK(next.drain_limit == 5s);
}

TEST_CASE("only paths that say so are relative to the file's folder") {
  const auto url_of = [](const std::string& url) {
    return parse(
               "coordinator = { state_dir = 's' }\nbuilder = [{ name = 'b', host_type = 'h' }]\n"
               "repository = [{ name = 'r', url = '" +
               url + "', step = [{ name = 's', command = 'c' }] }]\n")
        .repositories.at(0)
        .url;
  };
  CHECK(url_of(".") == "/etc/farm/");
  CHECK(url_of("./r") == "/etc/farm/r");
  CHECK(url_of("..") == "/etc/");
  CHECK(url_of("/srv/r") == "/srv/r");
  CHECK(url_of("r") == "r");
  CHECK(url_of("ext::sh") == "ext::sh");
}

TEST_CASE("a file is loaded, relative to its own folder") {
  testing::TempDir dir;
  testing::write_file(dir / "farm.toml", "[coordinator]\nstate_dir = \"state\"\n");
  CHECK(config::load(dir / "farm.toml").state_dir == dir / "state");

  const auto message_of = [](const std::filesystem::path& file) -> std::string {
    try {
      config::load(file);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "(nothing was thrown)";
  };
  testing::write_file(dir / "bad.toml", "\n\n[coordinatr]\n");
  CHECK(message_of(dir / "bad.toml") ==
        (dir / "bad.toml").string() + ":3: the file has no \"coordinatr\" (did you mean \"coordinator\"?)");
  CHECK(message_of(dir / "missing.toml").find((dir / "missing.toml").string()) != std::string::npos);
  testing::write_file(dir / "large.toml", std::string(1024 * 1024 + 1, '#'));
  CHECK(message_of(dir / "large.toml").find((dir / "large.toml").string()) != std::string::npos);
  CHECK(message_of(dir.path()).find(dir.path().string()) != std::string::npos);
}
