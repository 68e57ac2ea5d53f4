// What the client does with files and leases on a real worker, in coroutines and blocking.
#include <build/buildlet/blocking.h>
#include <build/buildlet/client.h>
#include <io/loop_thread.h>
#include <io/tls.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "build/buildlet/worker_fixture.h"

using namespace build;
using namespace build::buildlet;
using namespace std::chrono_literals;
using testing::source_of;
using testing::value_of;
using testing::WorkerFixture;
namespace fs = std::filesystem;

namespace {

io::Task<std::string> read_all(BodySource source) {
  std::string all, buffer(10'000, '\0');
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await source(into);
    if (n == 0) break;
    all.append(buffer, 0, n);
  }
  co_return all;
}

std::vector<std::string> names_in(WorkerFixture& worker, Worker& client, const std::string& dir, ListOptions options) {
  std::vector<std::string> names;
  worker.loop.run_until_done(client.list(dir, std::move(options), [&](const DirEntry& e) { names.push_back(e.name); }));
  return names;
}

RunSpec shell_spec(const std::string& script) {
  RunSpec spec = testing::shell(script);
  spec.dir = ".";
  return spec;
}

/// A worker that listens, on a loop with a thread of its own.
class ListeningWorker {
 public:
  explicit ListeningWorker(std::optional<io::CertificatePem> pair, ServerOptions options) : pair_(std::move(pair)) {
    loop_.run(begin(std::move(options)));
  }
  ~ListeningWorker() { loop_.run(end()); }

  Access access() const { return {.address = {"127.0.0.1", std::to_string(port_)}, .pair = pair_}; }
  const std::string& workdir() const { return workdir_->path(); }
  /// Ends every connection that is open.
  void cut() { loop_.run(close_all()); }

 private:
  io::Task<> begin(ServerOptions options) {
    workdir_.emplace(temp_ / "workdir", temp_ / "work-directories", WorkDirectory::Found::keep);
    server_.emplace(loop_.executor(), clock_, pool_, *workdir_, temp_.path(), std::move(options), log_);
    net::Router router;
    server_->add_routes(router);
    http_.emplace(loop_.executor(), clock_, std::move(router));
    listener_ = std::make_unique<io::TcpListener>(loop_.executor(), io::HostPort{"127.0.0.1", "0"});
    port_ = listener_->port();
    if (pair_) tls_.emplace(*pair_);
    io::spawn(loop_.executor(), accept(), [](std::exception_ptr) {});
    co_return;
  }
  io::Task<> accept() {
    while (true) {
      io::StreamPtr stream = co_await listener_->accept(clock_);
      io::spawn(loop_.executor(), serve(std::move(stream)), [](std::exception_ptr) {});
    }
  }
  io::Task<> serve(io::StreamPtr stream) {
    if (tls_) stream = co_await tls_->accept(std::move(stream), clock_, 10s);
    streams_.push_back(stream.get());
    io::ByteStream* const raw = stream.get();
    co_await http_->serve(std::move(stream));
    std::erase(streams_, raw);
  }
  io::Task<> close_all() {
    for (io::ByteStream* stream : streams_) stream->close();
    co_return;
  }
  io::Task<> end() {
    listener_->close();
    co_await server_->stop();
    co_await http_->stop();
    server_.reset();
    http_.reset();
    listener_.reset();
  }

  testing::TempDir temp_;
  io::RealClock clock_;
  io::BlockingPool pool_;
  build::base::Logger log_{[this] { return clock_.wall_now(); }, [](std::string_view) {}};
  io::LoopThread loop_;
  std::optional<io::CertificatePem> pair_;
  std::optional<WorkDirectory> workdir_;
  std::optional<Server> server_;
  std::optional<net::Server> http_;
  std::optional<io::TlsServerContext> tls_;
  std::unique_ptr<io::TcpListener> listener_;
  std::vector<io::ByteStream*> streams_;
  std::uint16_t port_ = 0;
};

io::CertificatePem pair_of_keys() {
  return io::make_self_signed("Gopher Co", {"localhost"}, io::WallTime{}, std::chrono::days{10});
}

}  // namespace

TEST_CASE("files go to a worker and come back, and a listing tells what is there") {
  WorkerFixture worker;
  Worker client = worker.client();
  CHECK(value_of(worker.loop, client.workdir()) == worker.workdir.path());
  worker.loop.run_until_done(client.put("in/a b/\xc3\xa4.sh", source_of("echo hi\n"), 0755));
  const fs::path file = fs::path(worker.workdir.path()) / "in/a b/\xc3\xa4.sh";
  CHECK(testing::read_file(file) == "echo hi\n");
  CHECK((fs::status(file).permissions() & fs::perms::mask) == fs::perms(0755));
  const std::string tgz = value_of(worker.loop, read_all(value_of(worker.loop, client.get_tgz("in/a b"))));
  worker.loop.run_until_done(client.put_tgz("in/copy/deep", source_of(tgz)));
  CHECK(names_in(worker, client, "in", {.recursive = true}) ==
        std::vector<std::string>{"a b/", "a b/\xc3\xa4.sh", "copy/", "copy/deep/", "copy/deep/\xc3\xa4.sh"});
  CHECK(names_in(worker, client, "in", {.recursive = true, .skip = {"copy/deep", "a b"}}) ==
        std::vector<std::string>{"copy/"});
  std::vector<DirEntry> entries;
  worker.loop.run_until_done(
      client.list("in/copy/deep", {.digest = true}, [&](const DirEntry& e) { entries.push_back(e); }));
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].mode == "-rwxr-xr-x");
  CHECK(entries[0].size == 8);
  CHECK(entries[0].digest == "a0a6c42fc1d8f8f486a10b45ec878e91b4fdfc6b");
  CHECK(entries[0].time.size() == 20);
  CHECK_FALSE(entries[0].directory());
}

TEST_CASE("an archive of everything, and one of nothing, can be had") {
  WorkerFixture worker;
  Worker client = worker.client();
  worker.loop.run_until_done(client.put("x", source_of(std::string(3'000'000, 'x'))));
  CHECK(value_of(worker.loop, read_all(value_of(worker.loop, client.get_tgz("")))).size() > 1000);
  CHECK_THROWS_WITH_AS(value_of(worker.loop, client.get_tgz("nosuch")),
                       doctest::Contains("worker worker-1 refused GET /tgz: 500"), WorkerError);
  CHECK_THROWS_WITH_AS(worker.loop.run_until_done(client.put_tgz_from_url("d", "ftp://x/")),
                       doctest::Contains("worker worker-1 refused POST /writetgz: "), WorkerError);
}

TEST_CASE("a worker is kept under a lease of the client's own, and nobody else's is taken") {
  WorkerFixture worker;
  Worker first = worker.client();
  REQUIRE(value_of(worker.loop, first.keep_runs(60s)));
  CHECK(first.lease() == 1);
  const auto run = first.start(model::RunId("r"), testing::shell("echo kept"));
  CHECK(run->kept());
  CHECK(value_of(worker.loop, testing::follow_all(*run)).output == "kept\n");
  CHECK(value_of(worker.loop, first.keep_runs(60s)));  // its own is renewed
  worker.loop.run_until_done(first.delete_run(model::RunId("r")));
  CHECK_THROWS_WITH_AS(worker.loop.run_until_done(first.delete_run(model::RunId("r"))), doctest::Contains("404"),
                       WorkerError);
  Worker second = worker.client();
  CHECK_THROWS_WITH_AS(value_of(worker.loop, second.keep_runs(60s)), "worker worker-1 is under a lease, 1",
                       WorkerError);
  worker.loop.run_until_done(first.end_lease(first.lease()));
  CHECK(value_of(worker.loop, second.keep_runs(60s)));
  CHECK(second.lease() == 2);
  const WorkerStatus status = value_of(worker.loop, second.status());
  CHECK(status.lease == 2);
  CHECK(status.last_lease == 2);
}

TEST_CASE("code that blocks uses a worker that listens, by the pair of keys that it was made with") {
  const io::CertificatePem pair = pair_of_keys();
  ServerOptions options = WorkerFixture::default_options();
  options.password = password_of(pair);
  ListeningWorker listening(pair, std::move(options));
  BlockingWorker worker(listening.access());
  CHECK(worker.status().version == 28);
  CHECK(worker.workdir() == listening.workdir());
  std::istringstream content("1\n2\n");
  worker.put("dir/numbers", content);
  std::string printed;
  const auto print = [&](std::string_view text) { printed += text; };
  const RunResult failed = worker.run(shell_spec("cat dir/numbers; exit 3"), print);
  CHECK(failed.outcome == RunOutcome::failed);
  CHECK(failed.text == "exit status 3");
  CHECK(printed == "1\n2\n");
  RunSpec missing = shell_spec("");
  missing.cmd = "no-such-command";
  CHECK(worker.run(missing).outcome == RunOutcome::could_not_run);
  std::stringstream archive;
  worker.get_tgz("dir", archive);
  worker.put_tgz("copy", archive);
  CHECK(worker.list("copy").at(0).name == "numbers");
  worker.remove_all({"copy", "dir"});
  CHECK_THROWS_AS(worker.list("copy"), WorkerError);

  Access wrong = listening.access();
  wrong.password = "guess";
  CHECK_THROWS_WITH_AS(BlockingWorker(wrong).status(), doctest::Contains("403"), WorkerError);
  wrong = listening.access();
  wrong.pair = pair_of_keys();
  CHECK_THROWS_WITH(BlockingWorker(wrong).status(), doctest::Contains("it is for another key than the one expected"));
  wrong.pair = io::CertificatePem{"no certificate", ""};
  CHECK_THROWS_AS(BlockingWorker{wrong}, std::invalid_argument);
}

TEST_CASE("a run that the worker keeps goes on where its connection broke, and one of /exec says that it cannot") {
  ListeningWorker listening(std::nullopt, WorkerFixture::default_options());
  BlockingWorker worker(listening.access());
  const bool kept = worker.keep_runs();
  REQUIRE(kept);
  std::string printed;
  bool cut = false;
  const auto print = [&](std::string_view text) {
    printed += text;
    if (std::exchange(cut, true)) return;
    listening.cut();
  };
  const RunSpec spec = shell_spec("for i in 1 2 3 4 5; do echo $i; sleep 0.1; done");
  CHECK(worker.run(spec, print).outcome == RunOutcome::succeeded);
  CHECK(printed == "1\n2\n3\n4\n5\n");
  worker.end_lease();
  cut = false;
  const RunResult lost = worker.run(spec, print);
  CHECK(lost.outcome == RunOutcome::lost);
  CHECK(lost.text.find("which it cannot survive over /exec") != lost.text.npos);
}

TEST_CASE("an output that is not wanted any more kills the command") {
  ListeningWorker listening(std::nullopt, WorkerFixture::default_options());
  BlockingWorker worker(listening.access());
  const auto refuse = [](std::string_view) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH_AS(worker.run(shell_spec("echo $$; sleep 1000"), refuse), "enough", std::runtime_error);
}

TEST_CASE("heartbeats end when the worker did not answer three times in a row") {
  WorkerFixture worker;
  bool answers = true;
  int asked = 0;
  Worker client(
      worker.clock,
      [&]() -> io::Task<io::StreamPtr> {
        ++asked;
        if (!answers || asked == 2) throw WorkerError(0, "the wire is cut");
        co_return worker.connect();
      },
      "w");
  std::string said;
  const auto watch = [&]() -> io::Task<> { said = co_await heartbeats(client, worker.clock, {.period = 5ms}); };
  io::spawn(worker.loop.executor(), watch(), [](std::exception_ptr) {});
  CHECK(worker.wait_until([&] { return asked >= 6; }));
  CHECK(said.empty());
  answers = false;
  CHECK(worker.wait_until([&] { return !said.empty(); }));
  CHECK(said == "worker w did not answer 3 times in a row; at last: the wire is cut");
}
