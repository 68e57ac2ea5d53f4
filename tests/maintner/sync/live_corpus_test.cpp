#include <maintner/live_corpus.h>

#include <doctest/doctest.h>
#include <io/loop_thread.h>
#include <io/tcp.h>
#include <maintner/log_server.h>
#include <maintner/mutation.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/support.h"

using namespace maintner;
using namespace std::chrono_literals;

namespace {

std::string issue(std::int32_t number, std::string_view title) {
  Mutation mutation;
  GithubIssueMutation& issue = mutation.github_issue.emplace();
  issue.owner = "golang";
  issue.repo = "go";
  issue.number = number;
  issue.title = title;
  return encode(mutation);
}

std::string title_of(const View& view, std::int32_t number) {
  const auto repo = view.github().repo("golang", "go");
  const auto issue = repo ? repo->issue(number) : std::nullopt;
  return issue ? std::string(issue->title()) : "none";
}

/// A server with a thread of its own.
class Served {
 public:
  explicit Served(const std::filesystem::path& directory, const std::string& port = "0") : store_(directory, 1000) {
    loop_.run(begin(port));
  }
  ~Served() { loop_.run(end()); }

  void add(const std::string& payload) {
    store_.append(payload);
    store_.commit();
  }
  std::string port() const { return std::to_string(port_); }
  std::string address() const { return "http://127.0.0.1:" + port() + "/logs"; }

 private:
  io::Task<> begin(std::string port) {
    logs_.emplace(loop_.executor(), clock_, pool_, store_);
    logs_->add_to(router_);
    listener_.emplace(loop_.executor(), io::HostPort{"127.0.0.1", port});
    port_ = listener_->port();
    server_.emplace(loop_.executor(), clock_, [this](build::net::Request& request, build::net::Response& response) {
      return router_(request, response);
    });
    io::spawn(loop_.executor(), server_->serve(*listener_), {});
    co_return;
  }
  io::Task<> end() {
    co_await server_->stop();
    server_.reset();
    listener_.reset();
    logs_.reset();
  }

  SegmentStore store_;
  io::RealClock clock_;
  io::LoopThread loop_;
  io::BlockingPool pool_{2};
  build::net::Router router_;
  std::optional<LogServer> logs_;
  std::optional<io::TcpListener> listener_;
  std::optional<build::net::Server> server_;
  std::uint16_t port_ = 0;
};

LiveCorpusOptions options_for(const std::string& server, const std::filesystem::path& cache) {
  LiveCorpusOptions options;
  options.follower.server = server;
  options.follower.cache = cache;
  return options;
}

}  // namespace

TEST_CASE("a corpus that follows a server has what it had, and soon what is new") {
  const testing::TempDir temp;
  Served served(temp / "store");
  served.add(issue(1, "one"));
  LiveCorpus corpus(options_for(served.address(), temp / "cache"));
  CHECK(title_of(corpus.view(), 1) == "one");
  const View first = corpus.view();
  std::string last;
  // Over several segments.
  for (int i = 0; i < 100; ++i) {
    last = "title " + std::to_string(i);
    served.add(issue(1, last));
  }
  while (title_of(corpus.view(), 1) != last) REQUIRE(corpus.wait_for_update(10s));
  CHECK(title_of(first, 1) == "one");
  CHECK(corpus.trouble() == "");
}

TEST_CASE("listeners see the view before and the one after") {
  const testing::TempDir temp;
  Served served(temp / "store");
  served.add(issue(1, "one"));
  LiveCorpusOptions options = options_for(served.address(), temp / "cache");
  std::vector<std::pair<std::string, std::string>> seen;
  options.on_update = [&](const View& before, const View& after) {
    seen.emplace_back(title_of(before, 1), title_of(after, 1));
  };
  {
    LiveCorpus corpus(std::move(options));
    served.add(issue(1, "two"));
    REQUIRE(corpus.wait_for_update(10s));
  }
  REQUIRE(seen.size() == 1);
  CHECK(seen[0] == std::pair<std::string, std::string>("one", "two"));
}

TEST_CASE("a split history is loaded anew, and views of the old one stay") {
  const testing::TempDir temp;
  auto served = std::make_unique<Served>(temp / "store");
  const std::string port = served->port(), address = served->address();
  served->add(issue(1, "one"));
  served->add(issue(1, "two"));
  LiveCorpus corpus(options_for(address, temp / "cache"));
  const View before = corpus.view();
  served.reset();
  served = std::make_unique<Served>(temp / "other", port);
  served->add(issue(1, "other"));
  served->add(issue(2, "other"));
  while (title_of(corpus.view(), 2) != "other") REQUIRE(corpus.wait_for_update(30s));
  CHECK(title_of(corpus.view(), 1) == "other");
  CHECK(title_of(before, 1) == "two");
}

TEST_CASE("without a server there is no corpus, and the error names it") {
  const testing::TempDir temp;
  Served served(temp / "store");
  LiveCorpusOptions options = options_for(served.address() + "/nothing", temp / "cache");
  try {
    const LiveCorpus corpus(options);
    FAIL("there is one");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()).find(served.address()) != std::string::npos);
  }
}

TEST_CASE("where a log is kept") {
  ::setenv("XDG_CACHE_HOME", "/xdg", 1);
  CHECK(default_cache("https://maintner.golang.org/logs") == "/xdg/golang-maintner");
  CHECK(default_cache("http://host:80/logs") == "/xdg/xbuild-maintner/http___host_80_logs");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "/home/x", 1);
  CHECK(default_cache("https://maintner.golang.org/logs") == "/home/x/.cache/golang-maintner");
}
