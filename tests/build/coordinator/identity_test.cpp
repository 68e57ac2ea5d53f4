#include <build/coordinator/identity.h>
#include <doctest/doctest.h>

#include <sys/stat.h>

#include "support/support.h"

namespace {

using namespace build;

mode_t mode_of(const std::filesystem::path& file) {
  struct stat status {};
  REQUIRE(stat(file.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

}  // namespace

TEST_CASE("certificate and master key are made once, privately, and then kept") {
  const testing::TempDir directory;
  base::SystemRandom random;
  const io::RealClock clock;
  config::FarmConfig config;
  config.state_dir = directory.path();
  const coordinator::Identity first = coordinator::load_identity(config, random, clock);
  CHECK(io::parse_fingerprint(first.fingerprint) == first.fingerprint);
  CHECK(first.master_key.size() == 64);
  CHECK(mode_of(directory / "master.key") == 0600);
  CHECK(mode_of(directory / "tls/key.pem") == 0600);
  const coordinator::Identity second = coordinator::load_identity(config, random, clock);
  CHECK(second.fingerprint == first.fingerprint);
  CHECK(second.master_key == first.master_key);
}

TEST_CASE("a master key file that holds nothing is refused, not replaced") {
  const testing::TempDir directory;
  base::SystemRandom random;
  const io::RealClock clock;
  config::FarmConfig config;
  config.state_dir = directory.path();
  testing::write_file(directory / "master.key", " \n");
  CHECK_THROWS_WITH_AS(coordinator::load_identity(config, random, clock), doctest::Contains("master.key"),
                       std::runtime_error);
  CHECK(testing::read_file(directory / "master.key") == " \n");
}

TEST_CASE("a configured master key file that is missing is an error, and nothing is made in its place") {
  const testing::TempDir directory;
  base::SystemRandom random;
  const io::RealClock clock;
  config::FarmConfig config;
  config.state_dir = directory.path();
  config.master_key_file = directory / "elsewhere.key";
  CHECK_THROWS_WITH_AS(coordinator::load_identity(config, random, clock), doctest::Contains("elsewhere.key"),
                       std::runtime_error);
  CHECK_FALSE(std::filesystem::exists(directory / "elsewhere.key"));
}
