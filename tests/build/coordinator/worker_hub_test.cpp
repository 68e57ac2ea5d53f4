// Registrations that are refused, as spec'd answer by answer; accepted ones are the integration tests' business.
#include <build/base/builder_key.h>
#include <build/coordinator/worker_hub.h>
#include <build/net/client.h>
#include <doctest/doctest.h>
#include <io/event_loop.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/support.h"

namespace {

using namespace build;

/// Says of itself that it is encrypted: the hub asks only that.
class SecureStream final : public io::ByteStream {
 public:
  using BeforeWrite = std::function<io::Task<>()>;

  SecureStream(io::StreamPtr inner, BeforeWrite before_write)
      : inner_(std::move(inner)), before_write_(std::move(before_write)) {}
  io::Executor executor() override { return inner_->executor(); }
  io::Task<std::size_t> read_some(io::asio::mutable_buffer into) override { return inner_->read_some(into); }
  io::Task<> write(io::asio::const_buffer from) override {
    if (before_write_) co_await before_write_();
    co_await inner_->write(from);
  }
  io::Task<> shutdown_write() override { return inner_->shutdown_write(); }
  void close() noexcept override { inner_->close(); }
  bool secure() const noexcept override { return true; }
  std::string peer() const override { return "test"; }

 private:
  io::StreamPtr inner_;
  BeforeWrite before_write_;
};

enum class Transport { plain, secure };

struct Case {
  const char* name;
  Transport transport;
  std::vector<std::pair<std::string, std::string>> fields;
  int status;
  std::string body;
};

const std::string kKey = base::builder_key("secret", "host-a");
const std::string kDevKey = base::builder_key(base::kDevMasterKey, "host-a");

std::vector<std::pair<std::string, std::string>> good() {
  return {{"X-Go-Builder-Hostname", "h"},
          {"X-Go-Builder-Key", kKey},
          {"X-Go-Builder-Version", "28"},
          {"X-Go-Host-Type", "host-a"},
          {"X-Revdial-Version", "2"}};
}

std::vector<std::pair<std::string, std::string>> good_but(const std::string& name, const std::string& value) {
  auto fields = good();
  for (auto& field : fields)
    if (field.first == name) field.second = value;
  if (std::none_of(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; }))
    fields.emplace_back(name, value);
  return fields;
}

enum class Stop { afterwards, before_the_answer };

net::SimpleResponse register_worker(const Case& test, bool allow_dev_key, Stop stop = Stop::afterwards) {
  const testing::TempDir directory;
  io::EventLoop loop;
  io::VirtualClock clock;
  io::BlockingPool pool{1};
  base::Logger log{[] { return model::Time{}; }, [](std::string_view) {}};
  base::SeededRandom random{1};
  const auto store = store::open_sqlite(directory.path());
  coordinator::FarmLoop farm{
      loop.executor(),           clock, pool, log, *store, store->begin_epoch(), farm::Farm({}, store->load_open()),
      [](const farm::Action&) {}};
  coordinator::WorkerHub hub{
      loop.executor(), clock, random, log, {.master_key = "secret", .allow_dev_key = allow_dev_key}, farm};
  net::Router router;
  hub.add_routes(router);
  net::Server server{loop.executor(), clock, router};
  net::SimpleResponse answer;
  const auto exchange = [&]() -> io::Task<> {
    io::StreamPair pair = io::make_memory_pair(loop.executor());
    io::StreamPtr served = std::move(pair.second);
    SecureStream::BeforeWrite before_write;
    if (stop == Stop::before_the_answer) before_write = [&hub] { return hub.stop(); };
    if (test.transport == Transport::secure)
      served = std::make_unique<SecureStream>(std::move(served), std::move(before_write));
    io::spawn(loop.executor(), server.serve(std::move(served)), [](std::exception_ptr) {});
    net::ClientConnection client{std::move(pair.first), clock};
    io::RequestHead head;
    head.target = "/reverse";
    head.fields.add("Host", "");
    for (const auto& [name, value] : test.fields) head.fields.add(name, value);
    if (test.status == 101) {
      co_await client.send_head(head);
      answer.head = co_await client.read_head();
    } else {
      answer = co_await client.request(head);
    }
    client.close();
    co_await hub.stop();
    co_await server.stop();
  };
  loop.run_until_done(exchange());
  return answer;
}

}  // namespace

TEST_CASE("registrations are refused with the original's statuses and texts") {
  const std::vector<Case> cases{
      {"no TLS", Transport::plain, good(), 500, "buildlet registration requires SSL\n"},
      {"no revdial version", Transport::secure, good_but("X-Revdial-Version", ""), 400, "buildlet binary is too old\n"},
      {"revdial version 1", Transport::secure, good_but("X-Revdial-Version", "1"), 400, "unknown revdial version\n"},
      {"no host name", Transport::secure, good_but("X-Go-Builder-Hostname", ""), 400,
       "missing X-Go-Builder-Hostname header\n"},
      {"no host type", Transport::secure, good_but("X-Go-Host-Type", ""), 400,
       "missing X-Go-Host-Type; old buildlet binary?\n"},
      {"wrong key", Transport::secure, good_but("X-Go-Builder-Key", "0123"), 412, "invalid build key\n"},
      {"empty key", Transport::secure, good_but("X-Go-Builder-Key", ""), 412, "invalid build key\n"},
      {"key of another host type", Transport::secure, good_but("X-Go-Host-Type", "host-b"), 412, "invalid build key\n"},
      {"public development key", Transport::secure, good_but("X-Go-Builder-Key", kDevKey), 412, "invalid build key\n"},
      {"host name with a space", Transport::secure, good_but("X-Go-Builder-Hostname", "a b"), 400,
       "malformed X-Go-Builder-Hostname header\n"},
      {"host name of 300 letters", Transport::secure, good_but("X-Go-Builder-Hostname", std::string(300, 'h')), 400,
       "malformed X-Go-Builder-Hostname header\n"},
      {"worker id that is none", Transport::secure, good_but("X-Xbuild-Worker-Id", "../x"), 400,
       "malformed X-Xbuild-Worker-Id header\n"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.name);
    const net::SimpleResponse answer = register_worker(test, false);
    CHECK(answer.head.status == test.status);
    CHECK(answer.body == test.body);
  }
}

TEST_CASE("a right key is switched to the control channel; the development key only where it is allowed") {
  const Case right{"right key", Transport::secure, good(), 101, ""};
  CHECK(register_worker(right, false).head.status == 101);
  const Case dev{"development key", Transport::secure, good_but("X-Go-Builder-Key", kDevKey), 101, ""};
  CHECK(register_worker(dev, true).head.status == 101);
}

TEST_CASE("a hub that is stopped while a worker is being switched begins no session that would outlive it") {
  const Case right{"right key", Transport::secure, good(), 101, ""};
  CHECK(register_worker(right, false, Stop::before_the_answer).head.status == 101);
}
