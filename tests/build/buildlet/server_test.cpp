// The handlers, with real processes and archives, seen through the client and over raw connections.
#include <build/buildlet/client.h>
#include <build/net/client.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>

#include "build/buildlet/worker_fixture.h"

using namespace build;
using namespace build::buildlet;
using testing::follow_all;
using testing::Followed;
using testing::shell;
using testing::source_of;
using testing::value_of;
using testing::WorkerFixture;
namespace fs = std::filesystem;

namespace {

// The answer to one request, on a connection of its own.
net::SimpleResponse ask(WorkerFixture& worker, const std::string& method, const std::string& target,
                        const std::string& body = {}, const io::Fields& fields = {}) {
  io::RequestHead head;
  head.method = method;
  head.target = target;
  head.fields.add("Host", "w");
  for (const io::Field& field : fields) head.fields.add(field.name, field.value);
  if (!body.empty()) head.fields.add("Content-Type", "application/x-www-form-urlencoded");
  net::ClientConnection connection(worker.connect(), worker.clock);
  return value_of(worker.loop, connection.request(head, body));
}

std::string make_tgz(WorkerFixture& worker, const fs::path& directory) {
  base::SubprocessSpec spec;
  spec.argv = {"/bin/tar", "-C", directory.string(), "-czf", "-", "."};
  spec.environment = {"PATH=/usr/bin:/bin"};
  const base::RunLimits limits;
  const auto result = value_of(worker.loop, base::run_command(worker.loop.executor(), worker.clock, spec, limits));
  REQUIRE(result.ok());
  return result.output;
}

Followed run(WorkerFixture& worker, RunSpec spec) {
  Worker client = worker.client();
  const auto started = client.start(model::RunId("r"), std::move(spec));
  return value_of(worker.loop, follow_all(*started));
}

/// What a sanitizer keeps (freed memory, its shadow) is not the program's: with one, memory is not judged.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;
#else
constexpr bool kMemoryIsOurs = true;
#endif

std::size_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

TEST_CASE("a command's output comes while it runs, and its end with its state") {
  WorkerFixture worker;
  const Followed ok = run(worker, shell("echo out; echo err >&2; pwd"));
  CHECK(ok.output == "out\nerr\n" + worker.workdir.path() + "\n");
  CHECK(ok.result.outcome == RunOutcome::succeeded);
  const Followed failed = run(worker, shell("echo x; exit 3"));
  CHECK(failed.output == "x\n");
  CHECK(failed.result.outcome == RunOutcome::failed);
  CHECK(failed.result.text == "exit status 3");
  const Followed killed = run(worker, shell("kill -9 $$"));
  CHECK(killed.result.outcome == RunOutcome::failed);
  CHECK(killed.result.text == "signal: killed");
}

TEST_CASE("output is sent as it comes") {
  WorkerFixture worker;
  fs::create_directory(worker.temp / "go");
  Worker client = worker.client();
  // It goes on only when a file appears, which this test makes after it has seen the first line.
  const fs::path go = worker.temp / "go/on";
  const auto run = client.start(model::RunId("r"),
                                shell("echo one; while ! test -e " + go.string() + "; do sleep 0.01; done; echo two"));
  std::string buffer(1024, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  const std::size_t n = value_of(worker.loop, run->follow(0, into)).size;
  CHECK(buffer.substr(0, n) == "one\n");
  testing::write_file(go, "");
  const std::size_t m = value_of(worker.loop, run->follow(n, into)).size;
  CHECK(buffer.substr(0, m) == "two\n");
  CHECK(value_of(worker.loop, run->result()).outcome == RunOutcome::succeeded);
}

TEST_CASE("what cannot be started is told apart from what failed") {
  WorkerFixture worker;
  fs::create_directory(worker.temp / "workdir/tree");
  RunSpec missing;
  missing.cmd = "tree/nosuch";
  CHECK(run(worker, missing).result.outcome == RunOutcome::could_not_run);
  CHECK(run(worker, missing).result.text ==
        "fork/exec " + worker.workdir.path() + "/tree/nosuch: no such file or directory");
  RunSpec unknown;
  unknown.cmd = "no-such-command";
  const Followed refused = run(worker, unknown);
  CHECK(refused.result.outcome == RunOutcome::could_not_run);
  CHECK(refused.result.text ==
        "422 Unprocessable Entity: invalid 'cmd' parameter: command \"no-such-command\" not found");
  RunSpec nowhere = shell("true");
  nowhere.dir = "nosuchdir";
  CHECK(run(worker, nowhere).result.text == "chdir " + worker.workdir.path() + "/nosuchdir: no such file or directory");
}

TEST_CASE("a child sees no secrets, an empty stdin and our directories") {
  ServerOptions options = WorkerFixture::default_options();
  options.environment.push_back("GO_BUILD_KEY_PATH=/secret");
  options.environment.push_back("META_password=secret");
  WorkerFixture worker(options);
  const Followed env = run(worker, shell("cat; env | sort | grep -v '^_='"));
  CHECK(env.output.find("secret") == std::string::npos);
  CHECK(env.output.find("WORKDIR=" + worker.workdir.path() + "\n") != std::string::npos);
  CHECK(env.output.find("GOROOT_BOOTSTRAP=" + worker.workdir.path() + "/go1.4\n") != std::string::npos);
  CHECK(env.result.outcome == RunOutcome::succeeded);
}

TEST_CASE("a command that asks to be without network gets one with nothing in it, and others keep theirs") {
  WorkerFixture worker;
  RunSpec spec = shell("readlink /proc/self/ns/net");
  const std::string shared = run(worker, spec).output;
  spec.env = {"GO_DISABLE_OUTBOUND_NETWORK=1"};
  const Followed alone = run(worker, spec);
  if (alone.result.outcome == RunOutcome::could_not_run) {  // where no namespaces may be made it is not run with ours
    CHECK(alone.result.text.find("making a network namespace: ") != std::string::npos);
    CHECK(alone.output.empty());
    return;
  }
  CHECK(alone.output.starts_with("net:["));
  CHECK(alone.output != shared);
  spec.env = {"GO_DISABLE_OUTBOUND_NETWORK=0"};
  CHECK(run(worker, spec).output == shared);
}

TEST_CASE("/debug/x gives so many bytes, as Go reads numbers, and breaks off for a negative one") {
  WorkerFixture worker;
  CHECK(ask(worker, "GET", "/debug/x?n=10").body == "XXXXXXXXXX");
  for (const char* none : {"", "?n=", "?n=abc", "?n=1x", "?n=--1", "?n=0x10"}) {
    CHECK(ask(worker, "GET", std::string("/debug/x") + none).body.empty());
  }
  CHECK(ask(worker, "GET", "/debug/x?n=%2B3").body == "XXX");
  CHECK_THROWS_AS(ask(worker, "GET", "/debug/x?n=-1"), net::ConnectionLost);
  CHECK_THROWS_AS(ask(worker, "GET", "/debug/x?n=-99999999999999999999"), net::ConnectionLost);
  for (const char* many : {"1048577", "99999999999999999999"}) {
    net::ClientConnection connection(worker.connect(), worker.clock);
    io::RequestHead head;
    head.target = std::string("/debug/x?n=") + many;
    CHECK(value_of(worker.loop, connection.request(head, {}, 2 << 20)).body.size() == 1 << 20);
  }
}

TEST_CASE("/debug/goroutines shows what is going on, to who knows the password") {
  ServerOptions options = WorkerFixture::default_options();
  options.password = "p";
  WorkerFixture worker(options);
  CHECK(ask(worker, "GET", "/debug/goroutines").head.status == 403);
  CHECK(ask(worker, "GET", "/debug/x?n=1").head.status == 403);
  CHECK(ask(worker, "POST", "/connect-ssh").head.status == 403);
  io::Fields fields;
  fields.add("Authorization", "Basic OnA=");
  const std::string text = ask(worker, "GET", "/debug/goroutines", {}, fields).body;
  CHECK(text.starts_with("commands running: 0\nrequests at work: 0\ndraining: no\nthread "));
}

TEST_CASE("the status and the metrics tell what the machine has left") {
  ServerOptions options = WorkerFixture::default_options();
  options.machine = [] {
    return MachineNumbers{
        .load = 1.5, .processors = 4, .memory = 1000, .memory_available = 600, .disk = 50, .disk_available = 7};
  };
  WorkerFixture worker(options);
  CHECK(ask(worker, "GET", "/status").body ==
        "{\"Version\":28,\"features\":[\"runs\"],\"load\":1.50,\"cpus\":4,\"memoryBytes\":1000,"
        "\"memoryAvailableBytes\":600,"
        "\"diskBytes\":50,\"diskAvailableBytes\":7}");
  CHECK(ask(worker, "GET", "/metrics").head.status == 404);  // on the address for health alone
  net::Router router;
  worker.server.add_health_routes(router);
  net::Server health(worker.loop.executor(), worker.clock, router);
  io::StreamPair pair = io::make_memory_pair(worker.loop.executor());
  io::spawn(worker.loop.executor(), health.serve(std::move(pair.second)), [](std::exception_ptr) {});
  {
    net::ClientConnection connection(std::move(pair.first), worker.clock);
    io::RequestHead head;
    head.target = "/metrics";
    const net::SimpleResponse answer = value_of(worker.loop, connection.request(head));
    CHECK(answer.head.fields.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
    for (const char* line :
         {"xbuild_worker_load1 1.5", "xbuild_worker_disk_available_bytes 7", "xbuild_worker_commands 0",
          "xbuild_worker_draining 0", "xbuild_worker_commands_started_total 0"}) {
      CAPTURE(line);
      CHECK(answer.body.find("\n" + std::string(line) + "\n") != std::string::npos);
    }
    CHECK(answer.body.find("\nprocess_open_fds ") != std::string::npos);
  }
  worker.loop.run_until_done(health.stop());
}

TEST_CASE("the inherited GOROOT_BOOTSTRAP counts where there is no go1.4") {
  ServerOptions options = WorkerFixture::default_options();
  options.environment.push_back("GOROOT_BOOTSTRAP=/usr/lib/go");
  WorkerFixture worker(options);
  CHECK(run(worker, shell("echo $GOROOT_BOOTSTRAP")).output == "/usr/lib/go\n");
  fs::create_directory(worker.temp / "workdir/go1.4");
  CHECK(run(worker, shell("echo $GOROOT_BOOTSTRAP")).output == "/usr/lib/go\n");  // decided once

  WorkerFixture other(options);
  fs::create_directory(other.temp / "workdir/go1.4");
  CHECK(run(other, shell("echo $GOROOT_BOOTSTRAP")).output == other.workdir.path() + "/go1.4\n");
}

TEST_CASE("kill ends the command and everything it started") {
  WorkerFixture worker;
  Worker client = worker.client();
  const std::string mark = "XBUILD_TEST_MARK=" + worker.workdir.path();
  RunSpec spec = shell("sleep 100 & (sleep 100; echo late) & echo up; wait");
  spec.env = {mark};
  const auto run = client.start(model::RunId("r"), spec);
  std::string buffer(1024, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  CHECK(value_of(worker.loop, run->follow(0, into)).size == 3);
  // The shell says "up" while its children may still be on their way.
  CHECK(worker.wait_until([&] { return testing::processes_with(mark).size() >= 3; }));
  run->kill();
  const RunResult result = value_of(worker.loop, run->result());
  CHECK(result.outcome == RunOutcome::lost);
  CHECK(result.text == "killed");
  CHECK(worker.wait_until([&] { return worker.server.running() == 0; }));
  CHECK(worker.wait_until([&] { return testing::processes_with(mark).empty(); }));
}

TEST_CASE("a client that goes takes its command along, also one that has left its session's output open") {
  WorkerFixture worker;
  Worker client = worker.client();
  const std::string mark = "XBUILD_TEST_MARK=" + worker.workdir.path();
  RunSpec spec = shell("setsid sh -c 'trap \"\" TERM; echo up; sleep 3' & wait");
  spec.env = {mark};
  {
    const auto run = client.start(model::RunId("r"), spec);
    std::string buffer(1024, '\0');
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    CHECK(value_of(worker.loop, run->follow(0, into)).size == 3);
  }
  // What moved to a session of its own lives on, but does not keep the handler.
  CHECK(worker.wait_until([&] { return worker.server.running() == 0; }));
  for (const std::string& left : testing::processes_with(mark)) CHECK(left.find("sleep 3") != std::string::npos);
}

TEST_CASE("a background child that holds the output keeps the answer open") {
  WorkerFixture worker;
  const Followed followed = run(worker, shell("(sleep 0.2; echo late) & echo early"));
  CHECK(followed.output == "early\nlate\n");
  CHECK(followed.result.outcome == RunOutcome::succeeded);
}

TEST_CASE("stopping the worker loses its runs instead of failing them") {
  WorkerFixture worker;
  Worker client = worker.client();
  const auto run = client.start(model::RunId("r"), shell("echo up; sleep 100"));
  std::string buffer(1024, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  CHECK(value_of(worker.loop, run->follow(0, into)).size == 3);
  worker.loop.run_until_done(worker.server.stop());
  CHECK(worker.server.running() == 0);
  CHECK(value_of(worker.loop, run->result()).outcome == RunOutcome::lost);
  const auto later = client.start(model::RunId("s"), shell("true"));
  const RunResult refused = value_of(worker.loop, later->result());
  CHECK(refused.outcome == RunOutcome::lost);
  CHECK(refused.text == "503 Service Unavailable: the worker is being stopped");
}

TEST_CASE("200 MB of output pass through in little memory") {
  WorkerFixture worker;
  Worker client = worker.client();
  constexpr std::uint64_t kBytes = 200'000'000;
  run(worker, shell("true"));  // what is allocated once is no matter here
  const std::size_t before = peak_bytes();
  const auto run = client.start(model::RunId("r"), shell("head -c 200000000 /dev/zero"));
  const auto count = [](Run& from) -> io::Task<std::uint64_t> {
    std::string buffer(64 * 1024, '\0');
    std::uint64_t total = 0;
    while (true) {
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const std::size_t n = (co_await from.follow(total, into)).size;
      if (n == 0) break;
      total += n;
    }
    co_return total;
  };
  CHECK(value_of(worker.loop, count(*run)) == kBytes);
  CHECK(value_of(worker.loop, run->result()).outcome == RunOutcome::succeeded);
  if (kMemoryIsOurs) CHECK(peak_bytes() - before < 16 * 1024 * 1024);
}

TEST_CASE("a command that prints faster than its client reads waits for it, and nothing is left out") {
  WorkerFixture worker;
  const fs::path done = worker.temp / "done";
  Worker client = worker.client();
  const auto run = client.start(model::RunId("r"), shell("seq 1 6000000; : >" + done.string()));
  std::string first(1000, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(first);
  first.resize(value_of(worker.loop, run->follow(0, into)).size);
  // Meanwhile one that need not wait has printed as much three times.
  const auto unread = client.start(model::RunId("s"), shell("for i in 1 2 3; do seq 1 6000000; done >/dev/null"));
  CHECK(value_of(worker.loop, follow_all(*unread)).result.outcome == RunOutcome::succeeded);
  CHECK_FALSE(fs::exists(done));
  std::string printed;
  for (int i = 1; i <= 6'000'000; ++i) printed += std::to_string(i) + "\n";
  const Followed followed = value_of(worker.loop, follow_all(*run, first));
  CHECK(followed.output.size() == printed.size());
  CHECK((followed.output == printed));
  CHECK(followed.result.outcome == RunOutcome::succeeded);
  CHECK(fs::exists(done));
}

TEST_CASE("an archive is unpacked below the directory named") {
  WorkerFixture worker;
  testing::write_file(worker.temp / "in/a/b.txt", "content");
  testing::write_file(worker.temp / "in/tool.sh", "#!/bin/sh\necho tool\n");
  fs::permissions(worker.temp / "in/tool.sh", fs::perms::owner_all);
  const std::string tgz = make_tgz(worker, worker.temp / "in");
  Worker client = worker.client();
  worker.loop.run_until_done(client.put_tgz("go/src", source_of(tgz)));
  CHECK(testing::read_file(worker.temp / "workdir/go/src/a/b.txt") == "content");
  worker.loop.run_until_done(client.put_tgz("", source_of(tgz)));
  RunSpec spec;
  spec.cmd = "tool.sh";
  spec.dir = "go";
  RunSpec below = spec;
  below.cmd = "go/src/tool.sh";
  CHECK(run(worker, below).output == "tool\n");
}

TEST_CASE("a bad archive is refused with a sentence while it is still being sent") {
  WorkerFixture worker;
  Worker client = worker.client();
  // A source that never ends: only the refusal can stop it.
  BodySource endless = [](io::asio::mutable_buffer into) -> io::Task<std::size_t> {
    std::memset(into.data(), 'x', into.size());
    co_return into.size();
  };
  std::string text;
  int status = 0;
  try {
    worker.loop.run_until_done(client.put_tgz("d", endless));
  } catch (const WorkerError& error) {
    text = error.what();
    status = error.status;
  }
  CHECK(status == 400);
  CHECK(text ==
        "worker worker-1 refused PUT /writetgz: 400 Bad Request: requires gzip-compressed body: gzip: invalid "
        "header");
}

TEST_CASE("an archive that is cut off is refused, one whose source fails gives the source's error") {
  WorkerFixture worker;
  testing::write_file(worker.temp / "in/a", std::string(100'000, 'a'));
  const std::string tgz = make_tgz(worker, worker.temp / "in");
  Worker client = worker.client();
  CHECK_THROWS_AS(worker.loop.run_until_done(client.put_tgz("d", source_of(tgz.substr(0, tgz.size() / 2)))),
                  WorkerError);
  BodySource failing = [](io::asio::mutable_buffer) -> io::Task<std::size_t> {
    throw std::runtime_error("git ended with exit status 128");
    co_return 0;
  };
  std::string text;
  try {
    worker.loop.run_until_done(client.put_tgz("d", failing));
  } catch (const std::runtime_error& error) {
    text = error.what();
  }
  CHECK(text == "git ended with exit status 128");
  // The worker is none the worse for it.
  worker.loop.run_until_done(client.put_tgz("d", source_of(tgz)));
  CHECK(fs::file_size(worker.temp / "workdir/d/a") == 100'000);
}

TEST_CASE("hostile paths are refused and nothing outside is touched") {
  WorkerFixture worker;
  testing::write_file(worker.temp / "precious", "x");
  testing::write_file(worker.temp / "workdir/inside", "x");
  fs::create_directory_symlink("..", worker.temp / "workdir/up");
  const std::string absolute = (worker.temp / "precious").string();
  struct Row {
    std::string body;
    int status;
  };
  const Row rows[] = {
      {"path=..", 400},
      {"path=../precious", 400},
      {"path=a/../../precious", 400},
      {"path=" + absolute, 400},
      {"path=", 400},
      {"path=inside&path=..", 400},
      {"path=%00", 400},
      {"path=up/precious", 500},
      {"", 400},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    CHECK(ask(worker, "POST", "/removeall", row.body).head.status == row.status);
    CHECK(testing::read_file(worker.temp / "precious") == "x");
    CHECK(testing::read_file(worker.temp / "workdir/inside") == "x");
  }
  testing::write_file(worker.temp / "in/a", "x");
  const std::string tgz = make_tgz(worker, worker.temp / "in");
  Worker client = worker.client();
  const std::string absolute_dir = (worker.temp / "d").string();
  for (const std::string& dir : {std::string(".."), std::string("../d"), absolute_dir, std::string("up"),
                                 std::string("up/d"), std::string("inside")}) {
    CAPTURE(dir);
    CHECK_THROWS_AS(worker.loop.run_until_done(client.put_tgz(dir, source_of(tgz))), WorkerError);
    CHECK(!fs::exists(worker.temp / "a"));
    CHECK(!fs::exists(worker.temp / "d"));
  }
}

TEST_CASE("a file is written with exactly its mode, and stands under its name only when it is whole") {
  WorkerFixture worker;
  const mode_t umask_before = ::umask(077);
  CHECK(ask(worker, "PUT", "/write?path=sub%2Fdeep%2Ffile&mode=493", "first").body == "OK");
  ::umask(umask_before);
  const fs::path file = worker.temp / "workdir/sub/deep/file";
  CHECK(testing::read_file(file) == "first");
  CHECK(fs::status(file).permissions() == fs::perms(0755));
  CHECK(fs::status(file.parent_path()).permissions() == fs::perms(0755));
  CHECK(ask(worker, "PUT", "/write?path=sub%2Fdeep%2Ffile&mode=256", "second").body == "OK");
  CHECK(testing::read_file(file) == "second");
  CHECK(fs::status(file).permissions() == fs::perms(0400));
  {
    // A client that announces more than it sends, and goes.
    io::StreamPtr half = worker.connect();
    const std::string_view request =
        "PUT /write?path=sub%2Fdeep%2Ffile&mode=420 HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nhalf";
    worker.loop.run_until_done(half->write(request));
    CHECK(worker.wait_until([&] { return std::distance(fs::directory_iterator(file.parent_path()), {}) == 2; }));
  }
  CHECK(worker.wait_until([&] { return std::distance(fs::directory_iterator(file.parent_path()), {}) == 1; }));
  CHECK(testing::read_file(file) == "second");
}

TEST_CASE("writing, packing and listing do not lead out of the work directory") {
  WorkerFixture worker;
  testing::write_file(worker.temp / "precious", "x");
  fs::create_directory_symlink("..", worker.temp / "workdir/up");
  fs::create_symlink("../precious", worker.temp / "workdir/link");
  CHECK(ask(worker, "PUT", "/write?path=up%2Fprecious&mode=420", "y").head.status == 500);
  CHECK(ask(worker, "PUT", "/write?path=up%2Fnew&mode=420", "y").head.status == 500);
  CHECK(ask(worker, "PUT", "/write?path=..%2Fprecious&mode=420", "y").head.status == 400);
  CHECK(ask(worker, "PUT", "/write?path=.&mode=420", "y").head.status == 500);
  // The link itself is replaced.
  CHECK(ask(worker, "PUT", "/write?path=link&mode=420", "y").head.status == 200);
  CHECK(testing::read_file(worker.temp / "precious") == "x");
  CHECK(!fs::exists(worker.temp / "new"));
  for (const char* target : {"/tgz?dir=up%2Fworkdir", "/ls?dir=up%2Fworkdir"}) {
    CAPTURE(target);
    CHECK(ask(worker, "GET", target).head.status == 500);
  }
  for (const char* target : {"/tgz?dir=..", "/tgz?dir=%2Fetc", "/tgz?dir=", "/tgz", "/ls?dir=..", "/ls?dir=%2Fetc"}) {
    CAPTURE(target);
    CHECK(ask(worker, "GET", target).head.status == 400);
  }
  const std::string listed = ask(worker, "GET", "/ls?recursive=1").body;
  CHECK(listed.find("precious") == std::string::npos);
}

TEST_CASE("a long listing is streamed, and a big archive passes through in little memory") {
  WorkerFixture worker;
  for (int i = 0; i < 3000; ++i) testing::write_file(worker.temp / "workdir/many" / std::to_string(10000 + i), "");
  const net::SimpleResponse listed = ask(worker, "GET", "/ls?dir=many");
  CHECK(listed.head.fields.get("Transfer-Encoding") == "chunked");
  CHECK(listed.head.fields.get("Content-Type") == "text/plain; charset=utf-8");
  CHECK(std::count(listed.body.begin(), listed.body.end(), '\n') == 3000);
  // Bytes that do not compress.
  std::string noise(1 << 20, '\0');
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  for (int i = 0; i < 32; ++i) testing::write_file(worker.temp / "workdir/big" / std::to_string(i), noise);
  const std::size_t before = peak_bytes();
  io::RequestHead head;
  head.target = "/tgz?dir=big";
  head.fields.add("Host", "w");
  net::ClientConnection connection(worker.connect(), worker.clock);
  worker.loop.run_until_done(connection.send_head(head));
  const io::ResponseHead answer = value_of(worker.loop, connection.read_head());
  CHECK(answer.status == 200);
  CHECK(answer.fields.get("Content-Type") == "application/x-gzip");
  std::string buffer(64 * 1024, '\0');
  std::size_t total = 0;
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = value_of(worker.loop, connection.body().read_some(into));
    if (n == 0) break;
    total += n;
  }
  CHECK(total > 30'000'000);
  if (kMemoryIsOurs) CHECK(peak_bytes() - before < 16 * 1024 * 1024);
}

TEST_CASE("a worker with a password asks for it, and a web page gets nothing at all") {
  ServerOptions options = WorkerFixture::default_options();
  options.password = "s3cret";
  WorkerFixture worker(options);
  const auto with = [&](const char* name, const char* value, const char* target) {
    io::Fields fields;
    fields.add(name, value);
    return ask(worker, "GET", target, {}, fields).head.status;
  };
  for (const char* target :
       {"/status", "/workdir", "/write", "/writetgz", "/tgz", "/ls", "/exec", "/removeall", "/halt"}) {
    CAPTURE(target);
    CHECK(ask(worker, "GET", target).head.status == 403);
    CHECK(with("Authorization", "Basic OndyOm9uZw==", target) == 403);
  }
  CHECK(ask(worker, "GET", "/").body == "buildlet running on " + platform() + "\n");
  CHECK(ask(worker, "GET", "/healthz").body == "ok\n");
  CHECK(with("Authorization", "Basic OnMzY3JldA==", "/status") == 200);
  CHECK(with("Authorization", "Basic OnMzY3JldA", "/status") == 403);
  WorkerFixture open;
  io::Fields page;
  page.add("Origin", "http://evil.example");
  CHECK(ask(open, "POST", "/exec", "cmd=/bin/true&mode=sys", page).head.status == 403);
  CHECK(ask(open, "GET", "/status", {}, page).head.status == 403);
  CHECK(ask(open, "GET", "/status").head.status == 200);
}

TEST_CASE("removing everything leaves a work directory that works") {
  WorkerFixture worker;
  testing::write_file(worker.temp / "workdir/a/b", "x");
  Worker client = worker.client();
  worker.loop.run_until_done(client.remove_all({"."}));
  CHECK(fs::is_empty(worker.temp / "workdir"));
  CHECK(run(worker, shell("ls")).output == "gocache\ngoplscache\ntmp\n");
  worker.loop.run_until_done(client.remove_all({}));
  worker.loop.run_until_done(client.remove_all({"nosuch", "tmp"}));
  CHECK(run(worker, shell("ls")).output == "gocache\ngoplscache\ntmp\n");
  // A command may delete it as well.
  CHECK(run(worker, shell("rm -r $WORKDIR")).result.outcome == RunOutcome::succeeded);
  CHECK(run(worker, shell("ls")).output == "gocache\ngoplscache\ntmp\n");
}

TEST_CASE("a directory that took the work directory's place is left alone") {
  WorkerFixture worker;
  fs::rename(worker.temp / "workdir", worker.temp / "moved");
  testing::write_file(worker.temp / "workdir/precious", "x");
  CHECK(ask(worker, "POST", "/removeall", "path=.").head.status == 500);
  CHECK(ask(worker, "POST", "/exec", "cmd=/bin/true").head.status == 500);
  CHECK(ask(worker, "PUT", "/writetgz", "x").head.status == 500);
  CHECK(testing::read_file(worker.temp / "workdir/precious") == "x");
  fs::remove_all(worker.temp / "workdir");
}

TEST_CASE("the status says the version and what the worker can do") {
  WorkerFixture worker;
  Worker client = worker.client();
  CHECK(value_of(worker.loop, client.status()).version == 28);
  CHECK(ask(worker, "GET", "/status").body == "{\"Version\":28,\"features\":[\"runs\"]}");
  CHECK(ask(worker, "GET", "/workdir").body == worker.workdir.path());
  CHECK(ask(worker, "GET", "/nosuch").head.status == 404);
}

TEST_CASE("a drained worker says so, serves what follows, and is over when nothing has been at work for a while") {
  WorkerFixture worker;
  Worker client = worker.client();
  CHECK(!value_of(worker.loop, client.status()).draining);
  const auto run = client.start(model::RunId("r"), shell("echo up; read x < go; echo done"));
  REQUIRE(::mkfifo((worker.temp / "workdir/go").c_str(), 0600) == 0);
  std::string buffer(1024, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  CHECK(value_of(worker.loop, run->follow(0, into)).size == 3);
  bool over = false;
  const DrainLimits limits{.quiet = std::chrono::milliseconds{200}, .longest = std::chrono::minutes{1}};
  worker.server.drain(limits, [&] { over = true; });
  CHECK(value_of(worker.loop, client.status()).draining);
  CHECK(ask(worker, "GET", "/status").body ==
        "{\"Version\":28,\"draining\":true,\"working\":1,\"features\":[\"runs\"]}");
  CHECK(value_of(worker.loop, client.status()).working == 1);
  // Longer than the quiet time, but a command runs.
  worker.loop.run_until_done(worker.clock.sleep_for(2 * limits.quiet));
  CHECK(!over);
  testing::write_file(worker.temp / "workdir/go", "\n");
  CHECK(value_of(worker.loop, run->result()).outcome == RunOutcome::succeeded);
  // The next step of the same attempt.
  CHECK(::run(worker, shell("echo next")).output == "next\n");
  CHECK(!over);
  const io::Instant last = worker.clock.now();
  CHECK(worker.wait_until([&] {
    CHECK(value_of(worker.loop, client.status()).draining);  // keeps nobody
    return over;
  }));
  CHECK(worker.clock.now() - last >= limits.quiet - std::chrono::milliseconds{50});
}

TEST_CASE("a drain does not wait longer than its longest time") {
  WorkerFixture worker;
  Worker client = worker.client();
  const auto run = client.start(model::RunId("r"), shell("echo up; sleep 100"));
  std::string buffer(1024, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  CHECK(value_of(worker.loop, run->follow(0, into)).size == 3);
  bool over = false;
  worker.server.drain({.quiet = std::chrono::seconds{3}, .longest = std::chrono::milliseconds{100}},
                      [&] { over = true; });
  CHECK(worker.wait_until([&] { return over; }));
  CHECK(worker.server.running() == 1);
}

TEST_CASE("halt answers first and ends a second later") {
  io::Instant halted{};
  io::RealClock clock;
  ServerOptions options = WorkerFixture::default_options();
  options.on_halt = [&] { halted = clock.now(); };
  WorkerFixture worker(options);
  Worker client = worker.client();
  const io::Instant asked = clock.now();
  worker.loop.run_until_done(client.halt());
  CHECK(halted == io::Instant{});
  CHECK(worker.wait_until([&] { return halted != io::Instant{}; }));
  CHECK(halted - asked >= std::chrono::seconds{1});
}
