// /connect-ssh with a stand-in for sshd, which says what it was started with; tests/integration/worker_ssh.py has the
// real one.
#include <build/buildlet/ssh.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <pwd.h>
#include <unistd.h>

#include "build/buildlet/worker_fixture.h"

using namespace build;
using namespace build::buildlet;
using testing::value_of;
namespace fs = std::filesystem;

namespace {

constexpr const char* kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJGn3VUcbL2mQHnbQyZ8ZUlSPb6mMv4cQ2Wb2m3N4o5p";

io::Fields fields(const std::string& user, const std::string& key) {
  io::Fields all;
  if (!user.empty()) all.add("X-Go-Ssh-User", user);
  if (!key.empty()) all.add("X-Go-Authorized-Key", key);
  return all;
}

std::string refusal(const io::Fields& all) {
  try {
    parse_ssh_request(all);
  } catch (const io::HttpError& error) {
    return std::to_string(error.status()) + " " + error.what();
  }
  return "";
}

std::string own_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "root" : entry->pw_name;
}

/// Whom a test that is not root may not become, and one that is may not either if only another is allowed.
std::string other_name() { return ::geteuid() == 0 ? "nobody" : "root"; }

constexpr const char* kSshd = R"(#!/bin/sh
printf 'SSH-2.0-standin\r\n'
echo "a complaint" >&2
config=$(echo "$*" | sed 's/.*-f //; s/ .*//')
key=$(echo "$*" | sed 's/.*-h //; s/ .*//')
cat "$(dirname "$config")/authorized_keys" "$key"
grep -c '' "$config"
exec cat
)";

constexpr const char* kKeygen = R"(#!/bin/sh
while [ "$1" != -f ]; do shift; done
echo "a host key" > "$2"; echo public > "$2.pub"
echo made >> "$(dirname "$2")/count"
)";

struct Door {
  Door() : worker(options()) {}

  ServerOptions options() {
    for (const auto& [name, text] : {std::pair{"sshd", kSshd}, std::pair{"ssh-keygen", kKeygen}}) {
      testing::write_file(programs / name, text);
      fs::permissions(programs / name, fs::perms::owner_all);
    }
    ServerOptions made = testing::WorkerFixture::default_options();
    made.ssh.directory = programs / "ssh";
    made.ssh.sshd = programs / "sshd";
    made.ssh.keygen = programs / "ssh-keygen";
    made.ssh.privilege_directory = programs / "run";
    return made;
  }

  io::StreamPtr connect(const std::string& user = own_name()) {
    Worker client = worker.client();
    return value_of(worker.loop, client.connect_ssh(user, kKey));
  }
  std::string refused(const std::string& user) {
    try {
      connect(user);
    } catch (const WorkerError& error) {
      return error.what();
    }
    return "";
  }
  /// Until `end` has come.
  std::string read_until(io::ByteStream& stream, const std::string& end) {
    std::string text, buffer(1024, '\0');
    while (text.find(end) == std::string::npos) {
      const std::size_t n = value_of(worker.loop, stream.read_some(io::asio::buffer(buffer)));
      if (n == 0) break;
      text.append(buffer, 0, n);
    }
    return text;
  }
  std::size_t visits() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(programs / "ssh"))
      count += entry.path().filename().string().starts_with("visit-");
    return count;
  }

  testing::TempDir programs;
  testing::WorkerFixture worker;
};

}  // namespace

TEST_CASE("who wants in is named, and brings one key") {
  const SshRequest request = parse_ssh_request(fields("gopher", std::string(kKey) + " a comment"));
  CHECK(request.user == "gopher");
  CHECK(request.authorized_key == kKey);
  CHECK(refusal(fields("", kKey)).starts_with("502 nobody could log in"));
  CHECK(refusal(fields("u", "")).starts_with("502 nobody could log in"));
  for (const char* user : {"-l", "a b", "../x", "a/b", "u\nAllowUsers x", ".u", "u%h", "\"u"}) {
    CAPTURE(user);
    CHECK(refusal(fields(user, kKey)).starts_with("400 adding ssh authorized key: "));
  }
  CHECK(refusal(fields(std::string(33, 'u'), kKey)).starts_with("400 "));
  const std::string blob = std::string(kKey).substr(12);
  for (const std::string& key : std::vector<std::string>{
           "x", "command=\"id\" " + std::string(kKey), "ssh-ed25519 ", "ssh-ed25519 ====", "ssh-rsa " + blob,
           "ssh-ed25519  " + blob, "ssh-dss " + blob, "ssh-ed25519 " + blob + "!",
           "cert-authority " + std::string(kKey), "ssh-ed25519 AAAA", std::string(9000, 'A'), "ssh-ed25519\t" + blob}) {
    CAPTURE(key);
    CHECK(refusal(fields("u", key)).starts_with("400 adding ssh authorized key: "));
  }
  io::Fields two = fields("u", kKey);
  two.add("X-Go-Authorized-Key", kKey);
  CHECK(refusal(two).starts_with("400 "));
}

TEST_CASE("sshd is told to use nothing but what it is given") {
  const std::string text = sshd_configuration("u", "/s t/50%/keys", KeysReadBy::user, {"WORKDIR=/w x", "BAD=\"\nX"});
  CHECK(text.find("AllowUsers u\nAuthorizedKeysFile \"/s t/50%%/keys\"\n") == 0);
  CHECK(text.find("\nPasswordAuthentication no\n") != std::string::npos);
  CHECK(text.find("\nPermitUserRC no\n") != std::string::npos);
  CHECK(text.ends_with("SetEnv \"WORKDIR=/w x\"\n"));
  CHECK(text.find("BAD") == std::string::npos);
  const std::string other = sshd_configuration("u", "/k", KeysReadBy::command, {});
  CHECK(other.find("AuthorizedKeysFile none\n") != std::string::npos);
  CHECK(other.find("AuthorizedKeysCommand /bin/cat \"/k\"\n") != std::string::npos);
  CHECK(other.find("SetEnv") == std::string::npos);
  CHECK_THROWS_AS(sshd_configuration("u", "/a\"b", KeysReadBy::user, {}), std::invalid_argument);
}

TEST_CASE("bytes go both ways, from the banner that comes with the answer on") {
  Door door;
  const io::StreamPtr stream = door.connect();
  const std::string begin = door.read_until(*stream, "a host key\n");
  CHECK(begin.starts_with("SSH-2.0-standin\r\n" + std::string(kKey) + "\na host key\n"));
  const std::string text = "hello";
  door.worker.loop.run_until_done(stream->write(text));
  CHECK(door.read_until(*stream, "hello").ends_with("hello"));
  Worker client = door.worker.client();
  CHECK(value_of(door.worker.loop, client.status()).working == 1);
  CHECK(door.visits() == 1);
  stream->close();
  CHECK(door.worker.wait_until([&] { return door.visits() == 0; }));
  CHECK(value_of(door.worker.loop, client.status()).working == 0);
  bool complained = false;
  for (const std::string& line : door.worker.lines)
    complained = complained || line.find("a complaint") != std::string::npos;
  CHECK(complained);
}

TEST_CASE("one host key serves all, each visit has a key of its own, and a worker that stops ends them") {
  Door door;
  const io::StreamPtr first = door.connect(), second = door.connect();
  CHECK(door.visits() == 2);
  CHECK(testing::read_file(door.programs / "ssh/count") == "made\n");
  CHECK(!fs::exists(door.programs / "ssh/host_key.1.pub"));
  CHECK(door.read_until(*first, "a host key\n").starts_with("SSH-2.0-standin"));
  door.worker.loop.run_until_done(door.worker.server.stop());
  CHECK(door.visits() == 0);
  CHECK(door.read_until(*first, "no such text").find("SSH") == std::string::npos);
}

TEST_CASE("beyond so many visitors nobody is let in, until one leaves") {
  Door door;
  std::vector<io::StreamPtr> streams;
  for (int i = 0; i < SshDoor::kMaxVisits; ++i) streams.push_back(door.connect());
  CHECK(door.refused(own_name()).find("503 Service Unavailable: there are too many visitors already") !=
        std::string::npos);
  streams.pop_back();
  CHECK(door.worker.wait_until([&] { return door.visits() < std::size_t{SshDoor::kMaxVisits}; }));
  CHECK(door.refused(own_name()).empty());
}

TEST_CASE("who may not come in is told why") {
  Door door;
  CHECK(door.refused("no-such-user").find("400 Bad Request: adding ssh authorized key: no-such-user is no user") !=
        std::string::npos);
  if (::geteuid() != 0) CHECK(door.refused("root").find("may not log in here") != std::string::npos);
  fs::remove(door.programs / "sshd");
  CHECK(door.refused(own_name()).find("502 Bad Gateway: this worker has no ssh server: ") != std::string::npos);
  testing::WorkerFixture without;
  Worker client = without.client();
  CHECK_THROWS_AS(value_of(without.loop, client.connect_ssh(own_name(), kKey)), WorkerError);
}

TEST_CASE("only the user that commands run as may come in, also for root") {
  testing::TempDir directory;
  ServerOptions options = testing::WorkerFixture::default_options();
  options.ssh.directory = directory / "ssh";
  options.ssh.sshd = options.ssh.keygen = "/bin/true";
  options.ssh.privilege_directory = directory / "run";
  options.ssh.user = own_name();
  testing::WorkerFixture worker(options);
  Worker client = worker.client();
  std::string why;
  try {
    value_of(worker.loop, client.connect_ssh(other_name(), kKey));
  } catch (const WorkerError& error) {
    why = error.what();
  }
  CHECK(why.find(other_name() + " may not log in here") != std::string::npos);
}
