// A worker whose disk is full: it says so, leaves nothing half-written behind, and goes on when there is room. The disk
// is a small one in memory, in a mount namespace of this program's own.
#include <build/buildlet/client.h>
#include <build/net/client.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/mount.h>

#include "build/buildlet/worker_fixture.h"
#include "support/confine.h"
#include "support/support.h"

using namespace build;
using namespace build::buildlet;
using testing::source_of;
using testing::value_of;
using testing::WorkerFixture;
namespace fs = std::filesystem;

namespace {

// A worker whose work directory is a disk of its own.
struct SmallDisk {
  explicit SmallDisk(const char* size) {
    mounted = testing::confinement.works() && ::mount("tmpfs", path().c_str(), "tmpfs", 0, size) == 0;
    if (!mounted) testing::skip("test_buildlet_full_disk", "it may not mount a small file system");
    worker.workdir.open();  // takes it while it is empty
  }
  ~SmallDisk() {
    if (mounted) ::umount2(path().c_str(), MNT_DETACH);
  }

  std::string path() const { return worker.workdir.path(); }
  fs::path below(const char* name) const { return fs::path(path()) / name; }

  void fill() const {
    std::ofstream file(below("fill"), std::ios::binary | std::ios::app);
    const std::string block(4096, 'f');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }

  net::SimpleResponse put(const std::string& target, const std::string& body) {
    io::RequestHead head;
    head.method = "PUT";
    head.target = target;
    head.fields.add("Host", "w");
    net::ClientConnection connection(worker.connect(), worker.clock);
    return value_of(worker.loop, connection.request(head, body));
  }

  testing::Followed run(const std::string& script) {
    Worker client = worker.client();
    const auto started = client.start(model::RunId("r"), testing::shell(script));
    return value_of(worker.loop, testing::follow_all(*started));
  }

  std::string tgz(const std::string& content) {
    testing::write_file(worker.temp / "in/file", content);
    base::SubprocessSpec spec;
    spec.argv = {"/bin/tar", "-C", (worker.temp / "in").string(), "-czf", "-", "."};
    spec.environment = {"PATH=/usr/bin:/bin"};
    const base::RunLimits limits;
    const auto result = value_of(worker.loop, base::run_command(worker.loop.executor(), worker.clock, spec, limits));
    REQUIRE(result.ok());
    return result.output;
  }

  std::string names(const fs::path& directory) const {
    std::string text;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      text += entry.path().lexically_relative(directory).string() + " ";
    }
    return text;
  }

  WorkerFixture worker;
  bool mounted = false;
};

}  // namespace

TEST_CASE("on a full disk files and archives are refused with 507, and nothing half-written stays") {
  SmallDisk disk("size=1m");
  if (!disk.mounted) return;
  CHECK(disk.put("/write?path=old&mode=420", "old content").body == "OK");
  disk.fill();
  const std::string noise = disk.run("head -c 300000 /dev/urandom").output;
  const net::SimpleResponse refused = disk.put("/write?path=old&mode=420", noise);
  CHECK(refused.head.status == 507);
  CHECK(refused.body == "write " + disk.path() + "/old: no space left on device\n");
  CHECK(testing::read_file(disk.below("old")) == "old content");
  CHECK(disk.put("/write?path=new&mode=420", noise).head.status == 507);
  CHECK(!fs::exists(disk.below("new")));

  Worker client = disk.worker.client();
  const std::string archive = disk.tgz(noise);
  int status = 0;
  bool workers_fault = false;
  std::string text;
  try {
    disk.worker.loop.run_until_done(client.put_tgz("src", source_of(archive)));
  } catch (const WorkerError& error) {
    status = error.status;
    workers_fault = error.workers_fault();
    text = error.what();
  }
  CHECK(status == 507);
  CHECK(workers_fault);
  CHECK(text.find("no space left on device") != std::string::npos);
  CHECK(disk.names(disk.below("src")).empty());

  // The worker lives on, and when there is room again everything works.
  CHECK(value_of(disk.worker.loop, client.status()).version == 28);
  disk.worker.loop.run_until_done(client.remove_all({"fill"}));
  disk.worker.loop.run_until_done(client.put_tgz("src", source_of(archive)));
  CHECK(testing::read_file(disk.below("src/file")) == noise);
}

TEST_CASE("a command that fails on a full disk is lost, one that succeeds has succeeded") {
  SmallDisk disk("size=1m");
  if (!disk.mounted) return;
  CHECK(disk.run("exit 3").result.outcome == RunOutcome::failed);
  disk.fill();
  const testing::Followed failed = disk.run("head -c 100000 /dev/zero > object || exit 3");
  CHECK(failed.result.outcome == RunOutcome::lost);
  CHECK(failed.result.text.starts_with("exit status 3, and the worker's disk is full: "));
  CHECK(disk.run("true").result.outcome == RunOutcome::succeeded);
  CHECK(disk.run("rm fill object; exit 3").result.outcome == RunOutcome::failed);
}

TEST_CASE("a command on a disk without room for its directories is refused with 507, so it is lost") {
  SmallDisk disk("size=1m,nr_inodes=8");
  if (!disk.mounted) return;
  for (int i = 0; i < 8; ++i) std::ofstream(disk.below(("n" + std::to_string(i)).c_str()));
  const testing::Followed lost = disk.run("true");
  CHECK(lost.result.outcome == RunOutcome::lost);
  CHECK(lost.result.text.starts_with("507 Insufficient Storage: making " + disk.path() + "/tmp: "));
  Worker client = disk.worker.client();
  disk.worker.loop.run_until_done(client.remove_all({"."}));
  CHECK(disk.run("true").result.outcome == RunOutcome::succeeded);
}
