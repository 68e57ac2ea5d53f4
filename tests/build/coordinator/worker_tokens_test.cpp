// Tokens of single workers, as files.
#include <build/base/digest.h>
#include <build/coordinator/worker_tokens.h>
#include <doctest/doctest.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "support/support.h"

using namespace build;
using namespace build::coordinator;
namespace fs = std::filesystem;

namespace {

const model::Time kCreated{std::chrono::milliseconds{1'700'000'000'123}};

struct Tokens {
  testing::TempDir temp;
  fs::path directory = worker_tokens_directory(temp.path());
  base::SystemRandom random;
  std::vector<std::string> complaints;

  std::string add(const std::string& name, const std::string& host_type = {}) {
    return add_worker_token(directory, name, model::HostType(host_type), random, kCreated);
  }
  std::vector<WorkerToken> read() {
    complaints.clear();
    return read_worker_tokens(directory, complaints);
  }
};

}  // namespace

TEST_CASE("a token is shown once, and its digest kept in a file that is nobody else's") {
  Tokens tokens;
  CHECK(tokens.read().empty());
  CHECK(tokens.complaints.empty());
  const std::string first = tokens.add("mini-7", "host-a"), second = tokens.add("abc");
  CHECK(first.starts_with("xbw_"));
  CHECK(first.size() == 68);
  CHECK(first != second);
  const std::vector<WorkerToken> read = tokens.read();
  REQUIRE(read.size() == 2);
  CHECK(read[0].name == "abc");
  CHECK(read[1] == WorkerToken{.name = "mini-7",
                               .host_type = model::HostType("host-a"),
                               .sha256 = base::sha256_hex(first),
                               .created = kCreated});
  CHECK(testing::read_file(tokens.directory / "mini-7").find(first) == std::string::npos);
  struct stat status {};
  REQUIRE(::stat((tokens.directory / "mini-7").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(find_worker_token(read, first) == &read[1]);
  CHECK(find_worker_token(read, second) == &read[0]);
  for (const std::string& wrong : {std::string(), std::string("xbw_"), first.substr(4), first + "0", read[1].sha256}) {
    CHECK(find_worker_token(read, wrong) == nullptr);
  }
}

TEST_CASE("a name is taken until its token is revoked, and then has another one") {
  Tokens tokens;
  const std::string first = tokens.add("w");
  CHECK_THROWS_AS(tokens.add("w"), std::invalid_argument);
  CHECK(revoke_worker_token(tokens.directory, "w"));
  CHECK(!revoke_worker_token(tokens.directory, "w"));
  CHECK(tokens.read().empty());
  CHECK(tokens.add("w") != first);
  CHECK(std::distance(fs::directory_iterator(tokens.directory), fs::directory_iterator()) == 1);
}

TEST_CASE("names stay in the directory") {
  Tokens tokens;
  testing::write_file(tokens.temp / "farm.db", "rows");
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("../farm.db"),
                                  std::string("a/b"), std::string("-x"), std::string("a b"), std::string("a\nb"),
                                  std::string("a\0b", 3), std::string(101, 'x'), std::string("\xc3\xa4")}) {
    CAPTURE(name);
    CHECK_THROWS_AS(tokens.add(name), std::invalid_argument);
    CHECK(!revoke_worker_token(tokens.directory, name));
  }
  CHECK_THROWS_AS(tokens.add("w", "a b"), std::invalid_argument);
  CHECK(testing::read_file(tokens.temp / "farm.db") == "rows");
}

TEST_CASE("files that are no tokens are complained of, and the others count") {
  Tokens tokens;
  const std::string good = tokens.add("good");
  const std::string digest = std::string(64, 'a');
  const std::vector<std::string> bad{
      "",
      "host_type=\nsha256=" + digest + "\n",
      "host_type=\nsha256=\ncreated=1\n",
      "host_type=\nsha256=" + std::string(64, 'A') + "\ncreated=1\n",
      "host_type=a b\nsha256=" + digest + "\ncreated=1\n",
      "host_type=\nsha256=" + digest + "\ncreated=1x\n",
      "host_type=\nsha256=" + digest + "\ncreated=99999999999999999999\n",
      std::string(5000, 'x'),
  };
  for (std::size_t i = 0; i < bad.size(); ++i)
    testing::write_file(tokens.directory / ("bad" + std::to_string(i)), bad[i]);
  testing::write_file(tokens.directory / "na me", "host_type=\nsha256=" + digest + "\ncreated=1\n");
  const std::vector<WorkerToken> read = tokens.read();
  REQUIRE(read.size() == 1);
  CHECK(find_worker_token(read, good) != nullptr);
  CHECK(tokens.complaints.size() == bad.size() + 1);
}
