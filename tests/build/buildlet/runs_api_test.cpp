// /runs and /lease, over raw connections and through the client, with real processes.
#include <build/buildlet/client.h>
#include <build/net/client.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "build/buildlet/worker_fixture.h"
#include "build/runs/processes.h"

using namespace build;
using namespace build::buildlet;
using namespace std::chrono_literals;
using testing::follow_all;
using testing::shell;
using testing::value_of;
using testing::WorkerFixture;
namespace fs = std::filesystem;

namespace {

net::SimpleResponse ask(WorkerFixture& worker, const std::string& method, const std::string& target,
                        const std::string& lease, const std::string& body = {}) {
  io::RequestHead head;
  head.method = method;
  head.target = target;
  head.fields.add("Host", "w");
  if (!lease.empty()) head.fields.add("X-Xbuild-Lease", lease);
  net::ClientConnection connection(worker.connect(), worker.clock);
  return value_of(worker.loop, connection.request(head, body));
}

net::SimpleResponse take_lease(WorkerFixture& worker, int number, const std::string& more = ",\"seconds\":60") {
  return ask(worker, "PUT", "/lease", "", "{\"number\":" + std::to_string(number) + more + "}");
}

std::string run_json(const std::string& id, const std::string& script, const std::string& more = {}) {
  return "{\"id\":\"" + id + "\",\"cmd\":\"/bin/sh\",\"mode\":\"sys\",\"args\":[\"-c\",\"" + script + "\"]" + more +
         "}";
}

/// A client under lease 1.
struct Leased {
  explicit Leased(WorkerLimits limits = {}) : client(worker.client(limits)) {
    CHECK_FALSE(value_of(worker.loop, client.take_lease(1, 60s)));
    client.use_lease(1);
  }

  std::unique_ptr<Run> start(const std::string& id, RunSpec spec) {
    return client.start(model::RunId(id), std::move(spec));
  }

  WorkerFixture worker;
  Worker client;
};

}  // namespace

TEST_CASE("a run under a lease is followed to its end, and its use is told") {
  Leased world;
  const auto run = world.start("r", shell("echo one; echo two >&2"));
  const testing::Followed followed = value_of(world.worker.loop, follow_all(*run));
  CHECK(followed.output == "one\ntwo\n");
  CHECK(followed.result.outcome == RunOutcome::succeeded);
  REQUIRE(followed.result.usage.has_value());
  CHECK(followed.result.usage->wall > 0s);
  CHECK(followed.result.usage->peak_memory > 100'000);
  SUBCASE("and again, from any offset, by whoever knows its id") {
    const auto again = world.start("r", shell("echo one; echo two >&2"));
    std::string buffer(100, '\0');
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const RunOutput piece = value_of(world.worker.loop, again->follow(4, into));
    CHECK(buffer.substr(0, piece.size) == "two\n");
    CHECK(value_of(world.worker.loop, again->follow(0, into)).offset == 0);
    CHECK(value_of(world.worker.loop, again->result()).outcome == RunOutcome::succeeded);
  }
}

TEST_CASE("the ways in which a run can end are told apart") {
  Leased world;
  const auto result_of = [&](const std::string& id, RunSpec spec) {
    return value_of(world.worker.loop, world.start(id, std::move(spec))->result());
  };
  const RunResult failed = result_of("a", shell("exit 3"));
  CHECK(failed.outcome == RunOutcome::failed);
  CHECK(failed.text == "exit status 3");
  RunSpec missing = shell("");
  missing.cmd = "/nonexistent/x";
  const RunResult could_not = result_of("b", missing);
  CHECK(could_not.outcome == RunOutcome::could_not_run);
  CHECK(could_not.text == "fork/exec /nonexistent/x: no such file or directory");
  missing.cmd = "no-such-command";
  CHECK(result_of("c", missing).outcome == RunOutcome::could_not_run);
  RunSpec slow = shell("sleep 1000");
  slow.time_limit = 100ms;
  const RunResult limited = result_of("d", slow);
  CHECK(limited.outcome == RunOutcome::failed);
  CHECK(limited.killed == "the time limit of 0.1 s was exceeded");
  const auto killed = world.start("e", shell("echo begun; sleep 1000"));
  std::string buffer(100, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  CHECK(value_of(world.worker.loop, killed->follow(0, into)).size == 6);
  killed->kill();
  const RunResult result = value_of(world.worker.loop, killed->result());
  CHECK(result.outcome == RunOutcome::lost);
  CHECK(result.text == "killed");
  CHECK(ask(world.worker, "GET", "/runs/e", "1").body.find("\"killed\":\"somebody asked for it\"") !=
        std::string::npos);
}

TEST_CASE("connections that break while a run prints lose and repeat nothing") {
  Leased world;
  const auto run = world.start("r", shell("i=0; while [ $i -lt 3000 ]; do echo line $i of $$; i=$((i+1)); done"));
  std::string output, buffer(500, '\0');
  for (int piece = 0;; ++piece) {
    if (piece % 10 == 3) world.worker.http.close_connections();
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const RunOutput more = value_of(world.worker.loop, run->follow(output.size(), into));
    if (more.size == 0) break;
    REQUIRE(more.offset == output.size());
    output.append(buffer, 0, more.size);
  }
  const std::string pid = output.substr(output.find("of ") + 3, output.find('\n') - output.find("of ") - 3);
  std::string expected;
  for (int i = 0; i < 3000; ++i) expected += "line " + std::to_string(i) + " of " + pid + "\n";
  CHECK(output == expected);
  CHECK(value_of(world.worker.loop, run->result()).outcome == RunOutcome::succeeded);
}

TEST_CASE("a worker that stays out of reach loses the run, for its caller, when that has lasted too long") {
  WorkerFixture worker;
  WorkerLimits limits;
  limits.absence = 100ms;
  bool reachable = true;
  const auto dial = [&]() -> io::Task<io::StreamPtr> {
    if (!reachable) throw std::runtime_error("no route to host");
    co_return worker.connect();
  };
  Worker client(worker.clock, dial, "w1", limits);
  value_of(worker.loop, client.take_lease(1, 60s));
  client.use_lease(1);
  const auto run = client.start(model::RunId("r"), shell("echo x; sleep 1000"));
  std::string buffer(100, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  CHECK(value_of(worker.loop, run->follow(0, into)).size == 2);
  reachable = false;
  worker.http.close_connections();
  const RunResult result = value_of(worker.loop, run->result());
  CHECK(result.outcome == RunOutcome::lost);
  CHECK(result.text == "worker w1 was out of reach: no route to host");
  // It is there yet, for whoever comes.
  CHECK(ask(worker, "GET", "/runs/r", "1").body.find("\"state\":\"running\"") != std::string::npos);
}

TEST_CASE("output that the worker did not keep is passed over, and the offsets tell") {
  Leased world;
  RunSpec spec = shell("seq 1 400000");
  spec.output_cap = 1 << 20;
  const auto first = world.start("r", spec);
  CHECK(value_of(world.worker.loop, first->result()).outcome == RunOutcome::succeeded);
  const auto late = world.start("r", spec);
  std::string output, buffer(64 * 1024, '\0');
  std::uint64_t offset = 0, passed_over = 0;
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const RunOutput piece = value_of(world.worker.loop, late->follow(offset, into));
    if (piece.size == 0) break;
    passed_over += piece.offset - offset;
    output.append(buffer, 0, piece.size);
    offset = piece.offset + piece.size;
  }
  CHECK(offset == 2688895);
  CHECK(output.size() == 1 << 20);
  CHECK(passed_over == offset - output.size());
  CHECK(output.starts_with("1\n2\n3\n"));
  CHECK(output.ends_with("\n399999\n400000\n"));
}

TEST_CASE("a lease is one number at a time, and the numbers only grow") {
  WorkerFixture worker;
  CHECK(take_lease(worker, 5).body == "{\"held\":false}");
  CHECK(take_lease(worker, 5).body == "{\"held\":true}");
  CHECK(take_lease(worker, 5, ",\"seconds\":60,\"resume\":true").body == "{\"held\":true}");
  CHECK(take_lease(worker, 4).head.status == 409);
  CHECK(take_lease(worker, 4).body == "lease 4 is over: lease 5 came after it\n");
  CHECK(take_lease(worker, 6, ",\"seconds\":60,\"resume\":true").head.status == 409);
  CHECK(ask(worker, "GET", "/status", "").body.find("\"lease\":5") != std::string::npos);
  CHECK(take_lease(worker, 7).head.status == 200);
  CHECK(ask(worker, "DELETE", "/lease", "5").head.status == 200);
  CHECK(ask(worker, "GET", "/status", "").body.find("\"lease\":7") != std::string::npos);
  CHECK(ask(worker, "DELETE", "/lease", "8").head.status == 409);
  CHECK(ask(worker, "DELETE", "/lease", "7").head.status == 200);
  CHECK(ask(worker, "DELETE", "/lease", "7").head.status == 200);
  CHECK(ask(worker, "GET", "/status", "").body.find("\"lease\"") == std::string::npos);
  CHECK(take_lease(worker, 7).body == "lease 7 is over\n");
}

TEST_CASE("a request that names a lease is served under that lease only, whatever it asks for") {
  WorkerFixture worker;
  take_lease(worker, 5);
  for (const char* number : {"4", "6"}) {
    CHECK(ask(worker, "GET", "/runs", number).head.status == 409);
    CHECK(ask(worker, "POST", "/runs", number, run_json("r", "true")).head.status == 409);
    CHECK(ask(worker, "POST", "/removeall?path=x", number).head.status == 409);
    CHECK(ask(worker, "GET", "/status", number).head.status == 409);
  }
  CHECK(ask(worker, "GET", "/status", "5").head.status == 200);
  CHECK(ask(worker, "GET", "/runs", "").head.status == 400);
  CHECK(ask(worker, "GET", "/runs/x", "").head.status == 400);
  CHECK(ask(worker, "GET", "/runs", "five").head.status == 400);
  CHECK(ask(worker, "GET", "/runs", "0").head.status == 400);
  ask(worker, "DELETE", "/lease", "5");
  CHECK(ask(worker, "GET", "/runs", "5").head.status == 409);
}

TEST_CASE("when a lease ends nothing of it is left") {
  Leased world;
  WorkerFixture& worker = world.worker;
  fs::create_directories(fs::path(worker.workdir.path()) / "tree/deep");
  const build::runs::Command hider = testing::daemon_command("hider", worker.temp.path());
  RunSpec spec;
  spec.cmd = hider.program;
  spec.args = {hider.argv[1], hider.argv[2]};
  spec.level = RunSpec::Level::system;
  const auto hidden = world.start("hider-run", spec);
  std::string buffer(100, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  bool over = false;
  const auto follow = [&]() -> io::Task<> {
    co_await hidden->follow(0, into);
    over = true;
  };
  io::spawn(worker.loop.executor(), follow(), [](std::exception_ptr) {});
  REQUIRE(worker.wait_until([] { return testing::processes_named("hider").size() == 2; }));
  SUBCASE("because it was ended") { worker.loop.run_until_done(world.client.end_lease(1)); }
  SUBCASE("because another one began") { CHECK(take_lease(worker, 2).body == "{\"held\":false}"); }
  SUBCASE("because its time was over") {
    CHECK(take_lease(worker, 2, ",\"seconds\":1").body == "{\"held\":false}");
    CHECK(ask(worker, "POST", "/runs", "2", run_json("late", "sleep 1000")).head.status == 200);
    fs::create_directories(fs::path(worker.workdir.path()) / "again");
    REQUIRE(worker.wait_until([&] { return !fs::exists(fs::path(worker.workdir.path()) / "again"); }));
    CHECK(ask(worker, "GET", "/runs", "2").head.status == 409);
  }
  CHECK(testing::processes_named("hider").empty());
  CHECK(fs::is_empty(worker.workdir.path()));
  CHECK(worker.wait_until([&] { return over; }));
}

TEST_CASE("POST /runs: what is asked for in the wrong way is refused, with what is wrong") {
  WorkerFixture worker;
  take_lease(worker, 1);
  struct Case {
    const char* json;
    const char* answer;
  };
  const Case cases[] = {
      {"", "the run is no JSON object"},
      {"[]", "the run is no JSON object"},
      {"{\"id\":\"r\"", "the run is no JSON object"},
      {"{\"id\":\"\xff\"}", "the run is no JSON object"},
      {"{}", "invalid \"id\" in the run: there is none"},
      {"{\"id\":\"../x\"}", "invalid \"id\" in the run: letters, digits, '-', '_' and '.', not first, up to 100"},
      {"{\"id\":7}", "invalid \"id\" in the run: it is no text"},
      {"{\"id\":\"r\",\"id\":\"s\"}", "invalid \"id\" in the run: it is there twice"},
      {"{\"id\":\"r\",\"comand\":\"x\"}", "invalid \"comand\" in the run: there is no such member"},
      {"{\"id\":\"r\"}", "invalid 'cmd' parameter: requires 'cmd' parameter"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\\u0000\"}", "invalid 'cmd' parameter: \"/bin/sh\\x00\" contains a NUL byte"},
      {"{\"id\":\"r\",\"cmd\":\"../sh\"}",
       "invalid 'cmd' parameter: invalid 'cmd' parameter: path \"../sh\" refers to a parent directory"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"args\":\"x\"}", "invalid \"args\" in the run: it is no list"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"args\":[1]}", "invalid \"args\" in the run: it is no text"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"timeLimit\":-1}",
       "invalid \"timeLimit\" in the run: it is no number of seconds up to 30 days"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"timeLimit\":1e300}",
       "invalid \"timeLimit\" in the run: it is no number of seconds up to 30 days"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"outputCap\":10}",
       "invalid \"outputCap\" in the run: it is no number of bytes from 1 MiB to 64 GiB"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"terminal\":{\"rows\":0,\"columns\":80}}",
       "invalid \"terminal\" in the run: it has no rows from 1 to 10000"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"stdin\":1}", "invalid \"stdin\" in the run: it is neither true nor false"},
      {"{\"id\":\"r\",\"cmd\":\"/bin/sh\",\"user\":\"a\\u0000b\"}",
       "invalid \"user\" in the run: it contains a NUL byte"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.json);
    const net::SimpleResponse answer = ask(worker, "POST", "/runs", "1", each.json);
    CHECK(answer.head.status == 400);
    CHECK(answer.body == std::string(each.answer) + "\n");
  }
  CHECK(ask(worker, "POST", "/runs", "1", "{\"id\":\"r\",\"cmd\":\"nope\"}").head.status == 422);
  CHECK(ask(worker, "GET", "/runs", "1").body == "[]");
}

TEST_CASE("PUT /lease: what is asked for in the wrong way is refused") {
  WorkerFixture worker;
  for (const char* json :
       {"", "[]", "{}", "{\"number\":0,\"seconds\":1}", "{\"number\":-1,\"seconds\":1}", "{\"number\":1}",
        "{\"number\":1,\"seconds\":0}", "{\"number\":1.5,\"seconds\":1}", "{\"number\":1,\"seconds\":1,\"force\":true}",
        "{\"number\":1,\"seconds\":1,\"resume\":1}"}) {
    CAPTURE(json);
    CHECK(ask(worker, "PUT", "/lease", "", json).head.status == 400);
  }
  CHECK(ask(worker, "POST", "/lease", "").head.status == 400);
}

TEST_CASE("runs are named by the path, and what is wrong with a request is told") {
  WorkerFixture worker;
  take_lease(worker, 1);
  CHECK(ask(worker, "POST", "/runs", "1", run_json("r", "cat; echo end", ",\"stdin\":true")).head.status == 200);
  CHECK(ask(worker, "POST", "/runs", "1", run_json("r", "cat; echo end", ",\"stdin\":true")).head.status == 200);
  CHECK(ask(worker, "POST", "/runs", "1", run_json("r", "true")).head.status == 409);
  CHECK(ask(worker, "GET", "/runs/none", "1").head.status == 404);
  CHECK(ask(worker, "GET", "/runs/none", "1").body == "there is no run \"none\"\n");
  CHECK(ask(worker, "GET", "/runs/r/output?offset=x", "1").head.status == 400);
  CHECK(ask(worker, "PUT", "/runs/r", "1").head.status == 400);
  CHECK(ask(worker, "POST", "/runs/r/kill?signal=65", "1").head.status == 400);
  CHECK(ask(worker, "POST", "/runs/r/resize?rows=0&columns=1", "1").head.status == 400);
  CHECK(ask(worker, "POST", "/runs/r/input", "1", "typed\n").head.status == 200);
  CHECK(ask(worker, "POST", "/runs/r/input?end=1", "1").head.status == 200);
  const net::SimpleResponse output = ask(worker, "GET", "/runs/r/output?offset=2", "1");
  CHECK(output.body == "ped\nend\n");
  CHECK(output.head.fields.get("X-Xbuild-Offset") == "2");
  CHECK(ask(worker, "POST", "/runs/r/input", "1", "late").head.status == 409);
  CHECK(ask(worker, "DELETE", "/runs/r", "1").head.status == 200);
  CHECK(ask(worker, "GET", "/runs/r", "1").head.status == 404);
}

TEST_CASE("a client that goes away while its input is not read leaves nothing waiting") {
  Leased world;
  WorkerFixture& worker = world.worker;
  REQUIRE(ask(worker, "POST", "/runs", "1", run_json("r", "sleep 1000", ",\"stdin\":true")).head.status == 200);
  // A pipe holds 64 KiB.
  const std::string taken(56 * 1024, 'x'), too_much(40 * 1024, 'y');
  REQUIRE(ask(worker, "POST", "/runs/r/input", "1", taken).head.status == 200);
  {
    net::ClientConnection connection(worker.connect(), worker.clock);
    io::RequestHead head;
    head.method = "POST";
    head.target = "/runs/r/input";
    head.fields.add("Host", "w");
    head.fields.add("X-Xbuild-Lease", "1");
    head.fields.add("Content-Length", std::to_string(too_much.size()));
    const auto send = [&]() -> io::Task<> {
      co_await connection.send_head(head);
      co_await connection.send_body(too_much);
    };
    worker.loop.run_until_done(send());
    // The writer is known by this, that no other may write.
    CHECK(worker.wait_until([&] { return ask(worker, "POST", "/runs/r/input", "1", "z").head.status == 409; }));
  }
  CHECK(worker.wait_until([&] { return worker.http.connections() == 0; }));
}
