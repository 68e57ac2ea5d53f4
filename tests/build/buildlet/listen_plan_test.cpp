#include <build/buildlet/listen_plan.h>

#include <doctest/doctest.h>

#include <map>
#include <stdexcept>
#include <string>

#include "support/support.h"

using namespace build::buildlet;

namespace {

using Variables = std::map<std::string, std::string>;

EnvironmentLookup environment(Variables variables) {
  return [variables](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

std::string refusal(const ListenFlags& flags, const Variables& variables) {
  try {
    plan_listening(flags, environment(variables));
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("listening without a password has to be asked for, on any address") {
  for (const char* address : {"AUTO", "localhost:5936", "127.0.0.1:0", "[::1]:80", ":80", "0.0.0.0:443"}) {
    CAPTURE(address);
    CHECK(refusal({.address = address}, {}).find("META_password") != std::string::npos);
    CHECK(refusal({.address = address}, {{"META_password", ""}}).find("-insecure") != std::string::npos);
    CHECK(refusal({.address = address}, {{"META_PASSWORD", "upper case is not the original's"}}) != "");
    CHECK(refusal({.address = address}, {{"META_password", "x"}}).empty());
    const ListenPlan open = plan_listening({.address = address, .insecure = true}, environment({}));
    CHECK(open.password.empty());
    CHECK(open.warning.find("everybody") != std::string::npos);
  }
}

TEST_CASE("the plan has address, password and certificate, and warns of passwords in the clear") {
  const ListenPlan automatic = plan_listening({.address = "AUTO"}, environment({{"META_password", "p"}}));
  CHECK(automatic.address.str() == "localhost:5936");
  CHECK(automatic.password == "p");
  CHECK(!automatic.tls);
  CHECK(automatic.warning.empty());
  CHECK(plan_listening({.address = ":80"}, environment({{"META_password", "p"}})).warning.find("clear") !=
        std::string::npos);
  const ListenPlan encrypted = plan_listening(
      {.address = ":443"}, environment({{"META_password", "p"}, {"META_tls_cert", "C"}, {"META_tls_key", "K"}}));
  REQUIRE(encrypted.tls);
  CHECK(encrypted.tls->certificate == "C");
  CHECK(encrypted.tls->private_key == "K");
  CHECK(encrypted.warning.empty());
}

TEST_CASE("certificates of clients do instead of a password, and need the worker's own") {
  const Variables identity{{"META_tls_cert", "C"}, {"META_tls_key", "K"}};
  const ListenFlags flags{.address = ":443", .client_ca = "/ca.pem"};
  const ListenPlan plan = plan_listening(flags, environment(identity));
  CHECK(plan.client_ca == "/ca.pem");
  CHECK(plan.password.empty());
  CHECK(plan.warning.empty());
  CHECK(refusal(flags, {{"META_password", "p"}}).starts_with("-client-ca needs TLS"));
}

TEST_CASE("in a cloud AUTO is every address, and the cloud's metadata count where nothing nearer does") {
  using build::buildlet::Cloud;
  const CloudMetadata bare{.cloud = Cloud::google, .values = {{"password", "p"}}};
  CHECK(plan_listening({.address = "AUTO"}, environment({}), bare).address.str() == ":80");
  CHECK(plan_listening({.address = "AUTO"}, environment({}), bare).password == "p");
  CHECK(plan_listening({.address = "AUTO"}, environment({{"META_password", "q"}}), bare).password == "q");
  const CloudMetadata full{.cloud = Cloud::amazon, .values = {{"password", "p"}, {"tls-cert", "C"}, {"tls-key", "K"}}};
  const ListenPlan plan = plan_listening({.address = "AUTO"}, environment({}), full);
  CHECK(plan.address.str() == ":443");
  REQUIRE(plan.tls);
  CHECK(plan.tls->private_key == "K");
  CHECK_THROWS_AS(plan_listening({.address = "AUTO"}, environment({}), {.cloud = Cloud::google, .values = {}}),
                  std::invalid_argument);
}

TEST_CASE("half a certificate, no port and unusable files are refused") {
  CHECK(refusal({.address = ":1"}, {{"META_password", "p"}, {"META_tls_cert", "C"}}) ==
        "META_tls_cert and META_tls_key belong together: META_tls_key is missing");
  CHECK(refusal({.address = ":1"}, {{"META_password", "p"}, {"META_tls_key", "K"}}) ==
        "META_tls_cert and META_tls_key belong together: META_tls_cert is missing");
  CHECK(refusal({.address = "localhost"}, {{"META_password", "p"}}).find("localhost") != std::string::npos);
  const testing::TempDir dir;
  testing::write_file(dir / "password", "secret\n");
  testing::write_file(dir / "empty", "\n");
  testing::write_file(dir / "large", std::string(100'000, 'x'));
  const auto named = [&](const char* name) { return Variables{{"META_password", "@" + (dir / name).string()}}; };
  CHECK(plan_listening({.address = "AUTO"}, environment(named("password"))).password == "secret");
  CHECK(refusal({.address = "AUTO"}, named("empty")) == "the file that META_password names is empty");
  CHECK(refusal({.address = "AUTO"}, named("large")).find((dir / "large").string()) != std::string::npos);
  CHECK(refusal({.address = "AUTO"}, named("nosuch")).find((dir / "nosuch").string()) != std::string::npos);
}
