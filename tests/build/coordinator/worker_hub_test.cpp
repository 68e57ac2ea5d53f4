// Registrations: what is refused, as spec'd answer by answer, and who has a worker's one place.
#include <build/base/builder_key.h>
#include <build/base/digest.h>
#include <build/coordinator/worker_hub.h>
#include <build/net/client.h>
#include <doctest/doctest.h>
#include <revdial/listener.h>
#include <revdial/switch.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hub_world.h"

namespace {

using namespace build;

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
  testing::HubWorld world(allow_dev_key);
  net::SimpleResponse answer;
  const auto exchange = [&]() -> io::Task<> {
    io::StreamPair pair = io::make_memory_pair(world.loop.executor());
    io::StreamPtr served = std::move(pair.second);
    testing::SecureStream::BeforeWrite before_write;
    if (stop == Stop::before_the_answer) before_write = [&world] { return world.hub.stop(); };
    if (test.transport == Transport::secure)
      served = std::make_unique<testing::SecureStream>(std::move(served), std::move(before_write));
    world.serve(std::move(served));
    net::ClientConnection client{std::move(pair.first), world.clock};
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
    co_await world.stop();
  };
  world.loop.run_until_done(exchange());
  return answer;
}

/// A worker that registers, and answers /status over connections that it picks up; it does nothing else.
class StatusWorker {
 public:
  StatusWorker(testing::HubWorld& world, std::string id, std::string instance, std::string hostname, std::string key)
      : world_(world),
        id_(std::move(id)),
        instance_(std::move(instance)),
        hostname_(std::move(hostname)),
        key_(std::move(key)) {}

  /// Registers and serves until the session is over; `refusal` is then the status of the refusal, if it was one.
  io::Task<> run() {
    io::RequestHead head = revdial::switch_request("/reverse");
    for (const auto& [name, value] : good()) head.fields.set(name, value);
    head.fields.set("X-Go-Builder-Hostname", hostname_);
    head.fields.set("X-Go-Builder-Key", key_);
    head.fields.set("X-Xbuild-Worker-Id", id_);
    head.fields.set("X-Xbuild-Instance-Id", instance_);
    try {
      io::StreamPtr stream = world_.connect(hostname_ + ":1");
      constexpr io::Duration limit = std::chrono::seconds{30};
      io::StreamPtr control =
          co_await revdial::switch_protocols(std::move(stream), std::move(head), world_.clock, limit);
      revdial::DialServer dial = [this] { return dial_server(); };
      listener_ = std::make_unique<revdial::Listener>(std::move(control), std::move(dial), world_.clock);
    } catch (const revdial::SwitchError& error) {
      refusal = error.status();
      co_return;
    }
    io::spawn(world_.loop.executor(), serve(), [](std::exception_ptr) {});
    co_await listener_->run();
  }

  bool connected() const { return listener_ && !listener_->closed(); }
  void leave() { listener_->close(); }

  int refusal = 0;
  bool answers = true;

 private:
  io::Task<io::StreamPtr> dial_server() { co_return world_.connect(); }
  io::Task<> serve() {
    while (io::StreamPtr stream = co_await listener_->accept())
      io::spawn(world_.loop.executor(), server_.serve(std::move(stream)), [](std::exception_ptr) {});
  }
  io::Task<> status(net::Response& response) const {
    if (!answers) throw io::HttpError(500, "no answer");
    co_await response.send(200, "application/json", R"({"Version":28})");
  }

  testing::HubWorld& world_;
  std::string id_, instance_, hostname_, key_;
  net::Server server_{world_.loop.executor(), world_.clock,
                      [this](net::Request&, net::Response& response) { return status(response); }};
  std::unique_ptr<revdial::Listener> listener_;
};

/// A world whose farm decides, with workers in it.
class Registrations {
 public:
  explicit Registrations(std::size_t max_sessions = coordinator::WorkerHub::kMaxSessions) : world(false, max_sessions) {
    io::spawn(world.loop.executor(), world.farm.run(), [](std::exception_ptr) {});
  }
  ~Registrations() {
    for (const auto& worker : workers_)
      if (worker->connected()) worker->leave();
    settle();
    world.loop.run_until_done(world.stop());
  }

  /// Starts one; settle() gets it registered or refused.
  StatusWorker& start(const std::string& id, const std::string& instance, const std::string& hostname,
                      const std::string& key = kKey) {
    workers_.push_back(std::make_unique<StatusWorker>(world, id, instance, hostname, key));
    io::spawn(world.loop.executor(), workers_.back()->run(), [](std::exception_ptr) {});
    return *workers_.back();
  }

  /// Lets everybody, also the store's thread, do what they have to do.
  void settle() {
    for (int i = 0; i < 50; ++i) {
      const auto breathe = [this]() -> io::Task<> { co_await world.breathe(); };
      world.loop.run_until_done(breathe());
      while (world.loop.poll() > 0) {
      }
    }
  }
  void advance(io::Duration time) {
    world.clock.advance(time, [this] { settle(); });
  }
  std::vector<std::string> hosts() const {
    std::vector<std::string> names;
    for (const model::Session& session : world.farm.farm().sessions()) names.push_back(session.hostname);
    return names;
  }

  testing::HubWorld world;

 private:
  std::vector<std::unique_ptr<StatusWorker>> workers_;
};

const std::string kId(32, 'a'), kInstance(32, '1'), kOtherInstance(32, '2');

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

TEST_CASE("a worker that registers twice at once has one session in the end") {
  Registrations farm;
  const StatusWorker& first = farm.start(kId, kInstance, "twice");
  const StatusWorker& second = farm.start(kId, kInstance, "twice");
  farm.settle();
  CHECK(farm.hosts() == std::vector<std::string>{"twice"});
  CHECK(first.connected() != second.connected());
  CHECK(farm.world.hub.notices().empty());
}

TEST_CASE("of two processes with one worker id the one that answers stays, and the other is named") {
  Registrations farm;
  StatusWorker& first = farm.start(kId, kInstance, "genuine");
  farm.settle();
  REQUIRE(first.connected());
  const StatusWorker& second = farm.start(kId, kOtherInstance, "copy");
  farm.settle();
  CHECK(second.refusal == 409);
  CHECK(farm.hosts() == std::vector<std::string>{"genuine"});
  REQUIRE(farm.world.hub.notices().size() == 1);
  CHECK(farm.world.hub.notices().front() ==
        "Host copy (copy:1) claims the worker id of host genuine (genuine:1), which is connected and answers; it is "
        "refused. Was a worker's state directory copied?");
  // The first one does not answer any more: the next one that comes takes its place.
  first.answers = false;
  const StatusWorker& third = farm.start(kId, kOtherInstance, "copy");
  farm.advance(std::chrono::seconds{9});
  CHECK_FALSE(first.connected());
  CHECK(third.connected());
  CHECK(farm.hosts() == std::vector<std::string>{"copy"});
  farm.advance(std::chrono::minutes{5});
  CHECK(farm.world.hub.notices().empty());
}

TEST_CASE("a worker's own token lets it in, under its own name, until it is revoked") {
  Registrations farm;
  const coordinator::WorkerToken mine{.name = "mini-7", .host_type = {}, .sha256 = base::sha256_hex("xbw_mine")};
  const coordinator::WorkerToken other{
      .name = "mini-8", .host_type = model::HostType("host-b"), .sha256 = base::sha256_hex("xbw_other")};
  farm.world.hub.set_tokens({mine, other});
  const StatusWorker& keyed = farm.start(kId, kInstance, "keyed");
  const StatusWorker& worker = farm.start(kId, kOtherInstance, "tokened", "xbw_mine");
  farm.settle();
  CHECK(keyed.connected());  // the other's id was not its own to claim
  REQUIRE(worker.connected());
  std::vector<std::string> ids;
  for (const model::Session& session : farm.world.farm.farm().sessions()) ids.push_back(session.worker.value);
  std::sort(ids.begin(), ids.end());
  CHECK(ids == std::vector<std::string>{"host-a/" + kId, "token/mini-7"});
  // For another host type, and none at all.
  const StatusWorker& elsewhere = farm.start(kId, kInstance, "x", "xbw_other");
  const StatusWorker& nobody = farm.start(kId, kInstance, "y", "xbw_nobody");
  farm.settle();
  CHECK(elsewhere.refusal == 412);
  CHECK(nobody.refusal == 412);
  farm.world.hub.set_tokens({other});
  farm.settle();
  CHECK_FALSE(worker.connected());
  CHECK(keyed.connected());
  const StatusWorker& again = farm.start(kId, kOtherInstance, "tokened", "xbw_mine");
  farm.settle();
  CHECK(again.refusal == 412);
  CHECK(farm.hosts() == std::vector<std::string>{"keyed"});
}

TEST_CASE("beyond so many workers nobody is taken, until one leaves") {
  constexpr int kMax = 100;
  Registrations farm(kMax);
  const auto id = [](int number) {
    std::string digits = std::to_string(number);
    return digits.insert(0, 32 - digits.size(), '0');
  };
  StatusWorker& first = farm.start(id(0), kInstance, "h0");
  for (int i = 1; i < kMax; ++i) farm.start(id(i), kInstance, "h" + std::to_string(i));
  farm.settle();
  CHECK(farm.hosts().size() == kMax);
  const StatusWorker& later = farm.start(id(kMax), kInstance, "late");
  farm.settle();
  CHECK(later.refusal == 503);
  first.leave();
  farm.settle();
  const StatusWorker& last = farm.start(id(kMax), kInstance, "late");
  farm.settle();
  CHECK(last.connected());
  CHECK(farm.hosts().size() == kMax);
}
