// The client against workers that misbehave, over streams in memory and on a virtual clock.
#include <build/buildlet/client.h>
#include <build/net/server.h>
#include <io/clock.h>
#include <io/event_loop.h>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "build/buildlet/worker_fixture.h"

using namespace build;
using namespace build::buildlet;
using namespace std::chrono_literals;
using testing::value_of;

namespace {

// A worker that says what the test wants it to.
struct FakeWorker {
  explicit FakeWorker(std::string bytes, bool then_close = true) : answer(std::move(bytes)), closes(then_close) {}

  io::Task<io::StreamPtr> dial() {
    io::StreamPair pair = io::make_memory_pair(loop.executor());
    server_end = std::move(pair.second);
    io::spawn(loop.executor(), serve(), [](std::exception_ptr) {});
    co_return std::move(pair.first);
  }

  io::Task<> serve() {
    std::string buffer(64 * 1024, '\0');
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    while (request.find("\r\n\r\n") == std::string::npos) {
      const std::size_t n = co_await server_end->read_some(into);
      if (n == 0) co_return;
      request.append(buffer, 0, n);
    }
    const std::string_view bytes = answer;
    co_await server_end->write(bytes);
    if (closes) co_await server_end->shutdown_write();
  }

  Worker client() {
    return Worker(
        clock, [this] { return dial(); }, "w");
  }

  io::EventLoop loop;
  io::VirtualClock clock;
  std::string answer;
  bool closes;
  std::string request;
  io::StreamPtr server_end;
};

RunResult result_with(const std::string& answer) {
  FakeWorker worker(answer);
  Worker client = worker.client();
  const auto run = client.start(model::RunId("r"), testing::shell("true"));
  return value_of(worker.loop, run->result());
}

const std::string kHead = "HTTP/1.1 200 OK\r\nTrailer: Process-State\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("an original's worker keeps no runs, and its commands say so") {
  FakeWorker worker("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"Version\":26}");
  Worker client = worker.client();
  CHECK_FALSE(value_of(worker.loop, client.keep_runs(60s)));
  CHECK(client.lease() == 0);
  CHECK_FALSE(client.start(model::RunId("r"), {})->kept());
}

TEST_CASE("the result of a run is its trailer") {
  CHECK(result_with(kHead + "3\r\nabc\r\n0\r\nProcess-State: ok\r\n\r\n").outcome == RunOutcome::succeeded);
  const RunResult failed = result_with(kHead + "0\r\nProcess-State: exit status 1\r\n\r\n");
  CHECK(failed.outcome == RunOutcome::failed);
  CHECK(failed.text == "exit status 1");
}

TEST_CASE("a run whose answer breaks off or makes no sense is lost") {
  for (const std::string& answer :
       {std::string(), std::string("HTTP/1.1 2"), kHead, kHead + "3\r\na", kHead + "3\r\nabc\r\n", kHead + "0\r\n\r\n",
        kHead + "0\r\nProcess-State: \r\n\r\n", kHead + "zz\r\n", std::string("nonsense\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        // A head is no place for the state.
        std::string("HTTP/1.1 200 OK\r\nProcess-State: ok\r\nContent-Length: 0\r\n\r\n"),
        std::string("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")}) {
    CAPTURE(answer);
    const RunResult result = result_with(answer);
    CHECK(result.outcome == RunOutcome::lost);
    CHECK(!result.text.empty());
  }
}

TEST_CASE("a refused command could not run, and at most 4 KiB of the reason are kept") {
  const std::string reason(100'000, 'x');
  const RunResult result = result_with("HTTP/1.1 400 Bad Request\r\nContent-Length: 100000\r\n\r\n" + reason);
  CHECK(result.outcome == RunOutcome::could_not_run);
  CHECK(result.text == "400 Bad Request: " + reason.substr(0, 4096));
}

TEST_CASE("a dial that fails loses the run and says why") {
  FakeWorker worker("");
  const DialWorker dial = []() -> io::Task<io::StreamPtr> {
    throw std::runtime_error("revdial.Dialer closed");
    co_return nullptr;
  };
  Worker client(worker.clock, dial, "w");
  const auto run = client.start(model::RunId("r"), testing::shell("true"));
  const RunResult result = value_of(worker.loop, run->result());
  CHECK(result.outcome == RunOutcome::lost);
  CHECK(result.text == "the command could not be sent to worker w: revdial.Dialer closed");
  CHECK_THROWS_WITH(value_of(worker.loop, client.status()), "revdial.Dialer closed");
}

TEST_CASE("a worker that does not answer is given up after 20 seconds, a silent command never") {
  FakeWorker silent("", false);
  Worker client = silent.client();
  const auto run = client.start(model::RunId("r"), testing::shell("true"));
  std::optional<RunResult> result;
  const auto wait = [](Run& of, std::optional<RunResult>& into) -> io::Task<> { into = co_await of.result(); };
  const auto settle = [&] { silent.loop.poll(); };
  io::spawn(silent.loop.executor(), wait(*run, result), [](std::exception_ptr) {});
  silent.loop.poll();
  silent.clock.advance(19s, settle);
  CHECK(!result);
  silent.clock.advance(2s, settle);
  REQUIRE(result);
  CHECK(result->outcome == RunOutcome::lost);

  FakeWorker quiet(kHead + "3\r\nabc\r\n", false);
  Worker other = quiet.client();
  const auto long_run = other.start(model::RunId("r"), testing::shell("true"));
  std::optional<RunResult> end;
  io::spawn(quiet.loop.executor(), wait(*long_run, end), [](std::exception_ptr) {});
  quiet.loop.poll();
  quiet.clock.advance(24h, [&] { quiet.loop.poll(); });
  CHECK(!end);
  long_run->kill();
  quiet.loop.poll();
  REQUIRE(end);
  CHECK(end->text == "killed");
}

TEST_CASE("output is followed from the next byte only") {
  FakeWorker worker(kHead + "3\r\nabc\r\n0\r\nProcess-State: ok\r\n\r\n");
  Worker client = worker.client();
  const auto run = client.start(model::RunId("run-7"), testing::shell("true"));
  std::string buffer(16, '\0');
  const io::asio::mutable_buffer into = io::asio::buffer(buffer);
  CHECK_THROWS_AS(value_of(worker.loop, run->follow(1, into)), std::invalid_argument);
  CHECK(value_of(worker.loop, run->follow(0, into)).size == 3);
  CHECK_THROWS_WITH(value_of(worker.loop, run->follow(0, into)),
                    "the output of run run-7 can be read on from offset 3 only, not from 0: it is carried over /exec, "
                    "which cannot give output again");
  CHECK(value_of(worker.loop, run->follow(3, into)).size == 0);
  CHECK(value_of(worker.loop, run->follow(3, into)).size == 0);
  CHECK(run->id().value == "run-7");
}

TEST_CASE("killing before the start and after the end is harmless") {
  FakeWorker worker(kHead + "0\r\nProcess-State: ok\r\n\r\n");
  Worker client = worker.client();
  const auto before = client.start(model::RunId("r"), testing::shell("true"));
  before->kill();
  CHECK(value_of(worker.loop, before->result()).text == "killed");
  CHECK(worker.request.empty());
  const auto after = client.start(model::RunId("r"), testing::shell("true"));
  CHECK(value_of(worker.loop, after->result()).outcome == RunOutcome::succeeded);
  after->kill();
  CHECK(value_of(worker.loop, after->result()).outcome == RunOutcome::succeeded);
}

TEST_CASE("a status must be one") {
  for (const char* body : {"", "{}", "[]", "{\"Version\":\"28\"}", "{\"Version\":28", "x"}) {
    CAPTURE(body);
    FakeWorker worker("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(body));
    Worker client = worker.client();
    CHECK_THROWS_AS(value_of(worker.loop, client.status()), WorkerError);
  }
  FakeWorker original("HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{\"Version\":25,\"Other\":{\"a\":[1]}}\n");
  Worker client = original.client();
  CHECK(value_of(original.loop, client.status()).version == 25);
  CHECK(original.request.starts_with("GET /status HTTP/1.1\r\nHost: w\r\n"));
}

TEST_CASE("errors say which worker, which call and what it answered") {
  FakeWorker worker("HTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\n\r\ninvalid password\n");
  Worker client = worker.client();
  CHECK_THROWS_WITH(value_of(worker.loop, client.status()),
                    "worker w refused GET /status: 403 Forbidden: invalid password");
}
