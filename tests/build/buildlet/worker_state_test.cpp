#include <build/base/backoff.h>
#include <build/base/random.h>
#include <build/buildlet/worker_state.h>

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "support/support.h"

using namespace build::buildlet;
using namespace std::chrono_literals;
namespace base = build::base;
namespace fs = std::filesystem;

namespace {

EnvironmentLookup lookup(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "(no error)";
}

}  // namespace

TEST_CASE("the state directory follows XDG") {
  CHECK(default_state_dir("h", lookup({{"XDG_STATE_HOME", "/s"}, {"HOME", "/home/u"}})) == "/s/xbuild/buildlet-h");
  CHECK(default_state_dir("h", lookup({{"HOME", "/home/u"}})) == "/home/u/.local/state/xbuild/buildlet-h");
  CHECK(default_state_dir("h", lookup({{"XDG_STATE_HOME", "relative"}, {"HOME", "/home/u"}})) ==
        "/home/u/.local/state/xbuild/buildlet-h");
  CHECK(error_of([] { default_state_dir("h", lookup({})); }) ==
        "neither XDG_STATE_HOME nor HOME says where state is kept: name a directory with -state-dir");
}

TEST_CASE("a worker keeps its id") {
  const testing::TempDir temp;
  base::SeededRandom random(1);
  const std::string id = load_worker_id(temp.path(), random);
  CHECK(base::is_lower_hex(id, 32));
  CHECK(load_worker_id(temp.path(), random) == id);
  testing::write_file(temp / "worker-id", "nonsense\n");
  CHECK(error_of([&] { load_worker_id(temp.path(), random); }) ==
        "the file " + (temp / "worker-id").string() + " holds no worker id; delete it to get a new one");
}

TEST_CASE("the builder key comes from the flag, the environment's file or the home directory") {
  const testing::TempDir temp;
  testing::write_file(temp / "flag", " flagkey \n");
  testing::write_file(temp / "env", "envkey\n");
  testing::write_file(temp / "home/.gobuildkey-h", "homekey");
  const std::string home = (temp / "home").string(), env = (temp / "env").string();
  CHECK(load_builder_key(temp / "flag", "h", lookup({{"GO_BUILD_KEY_PATH", env}})) == "flagkey");
  CHECK(load_builder_key({}, "h", lookup({{"GO_BUILD_KEY_PATH", env}, {"HOME", home}})) == "envkey");
  CHECK(load_builder_key({}, "h", lookup({{"HOME", home}})) == "homekey");
  CHECK(fs::exists(temp / "env"));
  const auto deleting = lookup({{"GO_BUILD_KEY_PATH", env}, {"GO_BUILD_KEY_DELETE_AFTER_READ", "true"}});
  CHECK(load_builder_key({}, "h", deleting) == "envkey");
  CHECK(!fs::exists(temp / "env"));
}

TEST_CASE("a key that is missing or none is said") {
  const testing::TempDir temp;
  const std::string missing = error_of([&] { load_builder_key(temp / "nosuch", "h", lookup({})); });
  CHECK(missing.find((temp / "nosuch").string()) != std::string::npos);
  CHECK(missing.find("genbuilderkey h") != std::string::npos);
  testing::write_file(temp / "blank", " \n");
  CHECK(error_of([&] { load_builder_key(temp / "blank", "h", lookup({})); }) ==
        "the builder key file " + (temp / "blank").string() + " holds no key");
  testing::write_file(temp / "two", "a\r\nX-Evil: 1");
  CHECK(error_of([&] { load_builder_key(temp / "two", "h", lookup({})); }) ==
        "the builder key file " + (temp / "two").string() + " holds something that is no key");
  // It goes even if it could not be used.
  const auto deleting =
      lookup({{"GO_BUILD_KEY_PATH", (temp / "blank").string()}, {"GO_BUILD_KEY_DELETE_AFTER_READ", "1"}});
  CHECK_THROWS(load_builder_key({}, "h", deleting));
  CHECK(!fs::exists(temp / "blank"));
}

TEST_CASE("a worker's own token comes from its file or the environment") {
  const testing::TempDir temp;
  testing::write_file(temp / "token", " file-token\n");
  const auto environment = lookup({{"GO_BUILDLET_TOKEN", "env-token\n"}});
  CHECK(load_worker_token(temp / "token", environment) == "file-token");
  CHECK(load_worker_token({}, environment) == "env-token");
  CHECK(load_worker_token({}, lookup({})).empty());
  const std::string bad = error_of([] { load_worker_token({}, lookup({{"GO_BUILDLET_TOKEN", "secret\r\nX: 1"}})); });
  CHECK(bad == "GO_BUILDLET_TOKEN holds something that is no token");
  CHECK(error_of([&] { load_worker_token(temp / "nosuch", environment); }).find("nosuch") != std::string::npos);
}

TEST_CASE("the host name is the flag's, the environment's or the machine's") {
  CHECK(worker_hostname("f", lookup({{"HOSTNAME", "e"}})) == "f");
  CHECK(worker_hostname("", lookup({{"HOSTNAME", "e"}})) == "e");
  CHECK(!worker_hostname("", lookup({})).empty());
}

TEST_CASE("a host type is a plain name") {
  for (const char* good : {"host-linux-amd64", "h", "_x.1"}) CHECK_NOTHROW(check_host_type(good));
  for (const std::string& bad : {std::string(""), std::string("a/b"), std::string(".."), std::string("-x"),
                                 std::string("a b"), std::string("a\nb"), std::string(101, 'x')}) {
    CHECK_THROWS_AS(check_host_type(bad), std::invalid_argument);
  }
}

TEST_CASE("pauses are random within a window that doubles up to the cap") {
  base::SeededRandom random(7);
  base::Backoff backoff({.first = 5s, .cap = 60s}, random);
  for (int round = 0; round < 2; ++round) {
    std::chrono::nanoseconds total{0};
    for (const auto window : {5s, 10s, 20s, 40s, 60s, 60s, 60s}) {
      const std::chrono::nanoseconds pause = backoff.next();
      CHECK(pause >= 0s);
      CHECK(pause <= window);
      total += pause;
    }
    CHECK(total > 20s);  // not always the shortest
    backoff.reset();
  }
}
