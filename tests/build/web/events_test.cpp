// Server-sent events: what is on the wire, and that a client which was cut off misses nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "farmhouse.h"

namespace build::web {

using model::AttemptOutcome;
using namespace std::chrono_literals;

namespace {

struct Event {
  std::string name, id;
  rapidjson::Document data;
};

/// What came so far, taken apart. What is not an event (retry, signs of life) goes to `other`.
struct Parsed {
  std::vector<Event> events;
  std::string other;
  std::string text() const;
  std::string last_id() const;
  std::vector<std::string> names() const;
};

Parsed parse(std::string_view bytes) {
  Parsed parsed;
  for (std::size_t end; (end = bytes.find("\n\n")) != std::string_view::npos; bytes.remove_prefix(end + 2)) {
    std::string_view block = bytes.substr(0, end);
    Event event;
    while (!block.empty()) {
      const std::string_view line = block.substr(0, block.find('\n'));
      block.remove_prefix(std::min(line.size() + 1, block.size()));
      if (line.starts_with("event: ")) event.name = line.substr(7);
      if (line.starts_with("id: ")) event.id = line.substr(4);
      if (line.starts_with("data: ")) {
        event.data.Parse<rapidjson::kParseValidateEncodingFlag>(line.data() + 6, line.size() - 6);
        if (event.data.HasParseError()) FAIL("no JSON: " << line);
      }
    }
    if (event.name.empty()) {
      parsed.other += std::string(bytes.substr(0, end)) + "|";
    } else {
      parsed.events.push_back(std::move(event));
    }
  }
  if (!bytes.empty()) FAIL("half an event: " << bytes);
  return parsed;
}

std::string Parsed::text() const {
  std::string all;
  for (const Event& event : events)
    if (event.name == "log") all += std::string(event.data["text"].GetString(), event.data["text"].GetStringLength());
  return all;
}

std::string Parsed::last_id() const {
  std::string id;
  for (const Event& event : events)
    if (!event.id.empty()) id = event.id;
  return id;
}

std::vector<std::string> Parsed::names() const {
  std::vector<std::string> names;
  for (const Event& event : events) names.push_back(event.name);
  return names;
}

/// A client that follows a stream in the background.
class Client {
 public:
  Client(Farmhouse& house, const std::string& target, const std::string& last_id = {}, const std::string& accept = {})
      : house_(house), connection_(house.dial()) {
    io::RequestHead head;
    head.target = target;
    head.fields.add("Host", "farm");
    if (!last_id.empty()) head.fields.add("Last-Event-ID", last_id);
    if (!accept.empty()) head.fields.add("Accept", accept);
    connection_->set_body_timeout(io::Duration::zero());
    io::spawn(house.loop.executor(), receive(std::move(head)), [this](std::exception_ptr) { over_ = true; });
  }
  ~Client() {
    connection_->close();
    house_.settle();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Runs the house until `condition` holds for what was received. The house's time passes as slowly as real time,
  /// which reading files takes, or the limits of the connection would be over first.
  template <typename Condition>
  void until(Condition condition) {
    const auto begin = std::chrono::steady_clock::now();
    for (auto last = begin; !condition();) {
      const auto now = std::chrono::steady_clock::now();
      if (now > begin + 20s) FAIL("waited 20 s in vain; what came: " << bytes_);
      house_.clock.advance(now - last, [this] { house_.settle(); });
      last = now;
    }
  }
  void until_text(const std::string& text) {
    until([&] { return parse(bytes()).text() == text; });
  }
  void until_over() {
    until([this] { return over_; });
  }

  const io::ResponseHead& head() const { return head_; }
  const std::string& bytes() const { return bytes_; }
  bool over() const { return over_; }

 private:
  io::Task<> receive(io::RequestHead head) {
    co_await connection_->send_head(std::move(head));
    head_ = co_await connection_->read_head();
    std::string room(100'000, '\0');
    while (true) {
      const boost::asio::mutable_buffer into(room.data(), room.size());
      const std::size_t count = co_await connection_->body().read_some(into);
      if (count == 0) break;
      bytes_.append(room.data(), count);
    }
    over_ = true;
  }

  Farmhouse& house_;
  std::unique_ptr<net::ClientConnection> connection_;
  io::ResponseHead head_;
  std::string bytes_;
  bool over_ = false;
};

/// A running step whose log is written piece by piece.
struct LiveStep {
  LiveStep(Farmhouse& house, int index) : house_(house) {
    step.build = model::BuildId{1};
    step.attempt = house.store->build(step.build).value().build.attempts;
    step.index = index;
    step.name = "step" + std::to_string(index);
    step.run = model::RunId{"live-" + std::to_string(step.attempt) + "-" + std::to_string(index)};
    step.started = house.clock.wall_now();
    house.feed(farm::StepChanged{step});
  }
  void open() { house_.loop.run_until_done(open_writer()); }
  void print(const std::string& bytes) { house_.loop.run_until_done(writer->append(writer->size(), bytes)); }
  void end(AttemptOutcome outcome = AttemptOutcome::ok) {
    house_.loop.run_until_done(writer->finish());
    step.ended = house_.clock.wall_now();
    step.outcome = outcome;
    house_.feed(farm::StepChanged{step});
  }

  model::Step step;
  std::unique_ptr<livelog::Writer> writer;

 private:
  io::Task<> open_writer() { writer = co_await house_.logs.open_writer(step.run); }
  Farmhouse& house_;
};

constexpr const char* kBuild = "/api/v1/builds/1/events";

struct RunningBuild : Farmhouse {
  RunningBuild() {
    commits({"one"});
    connect("alpha");
  }
};

}  // namespace

TEST_CASE("a finished build's stream is its state, all its output and an end") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "configure", "checking\n", AttemptOutcome::ok, "ok");
  house.step(1, "compile", "compiling\n", AttemptOutcome::failed, "exit status 2");
  house.end(1, AttemptOutcome::failed, "step compile: exit status 2");
  Client client(house, kBuild);
  client.until_over();
  CHECK(client.head().status == 200);
  CHECK(client.head().fields.get("Content-Type") == "text/event-stream");
  CHECK(client.head().fields.get("Cache-Control") == "no-store");
  const Parsed parsed = parse(client.bytes());
  CHECK(parsed.other == "retry: 1000|");
  CHECK(parsed.names() == std::vector<std::string>{"state", "log", "log", "end"});
  CHECK(parsed.events[0].data["result"].GetString() == std::string("failed"));
  const Event& second = parsed.events[2];
  CHECK(second.id == "1.1.10");
  CHECK(second.data["attempt"].GetInt() == 1);
  CHECK(second.data["step"].GetInt() == 1);
  CHECK(second.data["run"].GetString() == std::string("run-1-1-1"));
  CHECK(second.data["offset"].GetInt() == 0);
  CHECK(second.data["length"].GetInt() == 10);
  CHECK(parsed.text() == "checking\ncompiling\n");
  CHECK(parsed.events[3].data["result"].GetString() == std::string("failed"));
}

TEST_CASE("a running build's stream follows it from step to step to its end") {
  RunningBuild house;
  Client client(house, kBuild);
  LiveStep first(house, 0);
  client.until([&] { return client.bytes().find("step0") != std::string::npos; });
  // The step is known before its log is there.
  first.open();
  first.print("a");
  client.until_text("a");
  first.print("b");
  client.until_text("ab");
  first.end();
  LiveStep second(house, 1);
  second.open();
  second.print("c");
  client.until_text("abc");
  second.end();
  CHECK_FALSE(client.over());
  house.end(1, AttemptOutcome::ok);
  client.until_over();
  const Parsed parsed = parse(client.bytes());
  CHECK(parsed.text() == "abc");
  CHECK(parsed.last_id() == "1.1.1");
  CHECK(parsed.names().back() == "end");
  CHECK(parsed.events[parsed.events.size() - 2].data["state"].GetString() == std::string("finished"));
}

TEST_CASE("a client that was cut off gets what follows, wherever that was, also over a retried attempt") {
  RunningBuild house;
  const std::string output = "one\ntwo \xC3\xA4\xF0\x9F\x98\x80 three\xFF\xC3 four\n";
  {
    LiveStep lost(house, 0);
    lost.open();
    lost.print(output);
    lost.end();
  }
  house.feed(farm::SessionEnded{model::SessionId{"session1"}, "the connection was reset"});
  house.connect("beta");
  LiveStep again(house, 0);
  again.open();
  again.print(output);
  again.end();
  house.end(1, AttemptOutcome::ok);

  Client whole(house, kBuild);
  whole.until_over();
  const Parsed all = parse(whole.bytes());
  // A byte that is no text is told as U+FFFD, one byte long.
  const std::string shown = "one\ntwo \xC3\xA4\xF0\x9F\x98\x80 three\xEF\xBF\xBD\xEF\xBF\xBD four\n";
  CHECK(all.text() == shown + shown);
  for (std::size_t attempt = 1; attempt <= 2; ++attempt)
    for (std::size_t offset = 0; offset <= output.size(); ++offset) {
      if (offset > 0 && offset < output.size() && (static_cast<unsigned char>(output[offset]) & 0xC0) == 0x80) continue;
      const std::string id = std::to_string(attempt) + ".0." + std::to_string(offset);
      CAPTURE(id);
      Client resumed(house, kBuild, id);
      resumed.until_over();
      const Parsed rest = parse(resumed.bytes());
      std::size_t bytes = 0;
      for (const Event& event : rest.events)
        if (event.name == "log") bytes += event.data["length"].GetUint64();
      CHECK(bytes == output.size() * (3 - attempt) - offset);
      CHECK((shown + shown).ends_with(rest.text()));
    }
  // The query is for a first time; the header is newer.
  Client asked(house, std::string(kBuild) + "?from=2.0.4");
  asked.until_over();
  CHECK(parse(asked.bytes()).text() == shown.substr(4));
  Client both(house, std::string(kBuild) + "?from=1.0.0", "2.0.4");
  both.until_over();
  CHECK(parse(both.bytes()).text() == shown.substr(4));
}

TEST_CASE("a character that is cut by the writer comes whole, and is told as broken if its end never comes") {
  RunningBuild house;
  LiveStep step(house, 0);
  step.open();
  Client client(house, kBuild);
  step.print("a\xF0\x9F");
  client.until_text("a");
  CHECK(parse(client.bytes()).last_id() == "1.0.1");
  step.print("\x98\x80z\xE2\x82");
  client.until_text("a\xF0\x9F\x98\x80z");
  step.end();
  client.until_text("a\xF0\x9F\x98\x80z\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(parse(client.bytes()).last_id() == "1.0.8");
}

TEST_CASE("hostile output is harmless in a stream") {
  RunningBuild house;
  LiveStep step(house, 0);
  step.open();
  std::string hostile = "<script>alert(1)</script>\x1b]0;title\x07 \xE2\x80\xAE\nevent: end\ndata: {}\n\nid: 9\n\n\x7F";
  hostile += '\0';
  step.print(hostile);
  Client client(house, kBuild);
  client.until([&] { return client.bytes().find("event: log") != std::string::npos; });
  const Parsed parsed = parse(client.bytes());
  CHECK(parsed.text() == hostile);
  CHECK(parsed.names() == std::vector<std::string>{"state", "log"});
  CHECK(client.bytes().find_first_of("<\x1b\x7f\x07") == std::string::npos);
  CHECK(client.bytes().find("\xE2\x80\xAE") == std::string::npos);
  CHECK(client.bytes().find('\0') == std::string::npos);
}

TEST_CASE("a quiet stream gives a sign of life every 15 seconds") {
  RunningBuild house;
  Client client(house, kBuild);
  client.until([&] { return client.bytes().find("event: state") != std::string::npos; });
  const std::string before = parse(client.bytes()).other;
  house.clock.advance(14s, [&house] { house.settle(); });
  CHECK(parse(client.bytes()).other == before);
  house.clock.advance(32s, [&house] { house.settle(); });
  CHECK(parse(client.bytes()).other == before + ":|:|:|");
}

TEST_CASE("a run's stream counts in bytes of its log, also when its log is asked for as events") {
  RunningBuild house;
  LiveStep step(house, 0);
  step.open();
  step.print("0123456789");
  Client events(house, "/api/v1/runs/live-1-0/events", "7");
  Client log(house, "/api/v1/runs/live-1-0/log", "7", "text/event-stream");
  Client plain(house, "/api/v1/runs/live-1-0/log", "7");
  events.until_text("789");
  CHECK(parse(events.bytes()).last_id() == "10");
  step.print("more");
  events.until_text("789more");
  step.end();
  events.until_over();
  CHECK(parse(events.bytes()).names() == std::vector<std::string>{"log", "log", "end"});
  log.until_over();
  CHECK(parse(log.bytes()).text() == "789more");
  plain.until_over();
  CHECK(plain.head().fields.get("Content-Type") == "text/plain; charset=utf-8");
  CHECK(plain.bytes() == "789more");
}

TEST_CASE("positions that are none are refused") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "compile", "0123456789", AttemptOutcome::ok, "ok");
  const auto status = [&house](const std::string& target, const std::string& id) {
    io::Fields fields;
    fields.add("Last-Event-ID", id);
    return house.ask(target, fields).head.status;
  };
  for (const char* id : {"x", "1", "1.0", "1.0.", ".0.1", "1..1", "1.0.1.2", "-1.0.0", "1.0.-1", "1.0.+1", "a.b.c",
                         "1.0.99999999999999999999", "0x1.0.0", "1,0,0", "\xFF.0.0"})
    CHECK_MESSAGE(status(kBuild, id) == 400, id);
  for (const char* id : {"1.0.11", "1.1.0", "2.0.0", "9223372036854775807.0.0"})
    CHECK_MESSAGE(status(kBuild, id) == 416, id);
  const std::string run = "/api/v1/runs/run-1-1-0/events";
  for (const char* id : {"x", "-1", "1.0.0", "1e3", "99999999999999999999"}) CHECK_MESSAGE(status(run, id) == 400, id);
  CHECK(status(run, "11") == 416);
  CHECK(status("/api/v1/runs/none/events", "0") == 404);
  CHECK(status("/api/v1/builds/7/events", "0.0.0") == 404);
  CHECK(house.ask(kBuild, {}, "HEAD").head.fields.get("Content-Type") == "text/event-stream");
}

TEST_CASE("past the limit a stream is refused with a sentence, until one ends") {
  RunningBuild house;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < Farmhouse::kStreams; ++i) {
    clients.push_back(std::make_unique<Client>(house, kBuild));
    clients.back()->until([&] { return !clients.back()->bytes().empty(); });
  }
  const net::SimpleResponse refused = house.ask(kBuild);
  CHECK(refused.head.status == 503);
  CHECK(refused.body.find("Too many logs are being followed") != std::string::npos);
  clients.pop_back();
  Client next(house, kBuild);
  next.until([&] { return !next.bytes().empty(); });
  CHECK(next.head().status == 200);
}

TEST_CASE("clients that go away, and a server that stops, leave nothing behind") {
  RunningBuild house;
  LiveStep step(house, 0);
  step.open();
  {
    Client build(house, kBuild), run(house, "/api/v1/runs/live-1-0/events");
    build.until([&] { return !build.bytes().empty() && !run.bytes().empty(); });
    CHECK(house.server->connections() == 2);
  }
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (house.server->connections() > 0 && std::chrono::steady_clock::now() < limit) house.settle();
  CHECK(house.server->connections() == 0);
  Client build(house, kBuild), run(house, "/api/v1/runs/live-1-0/events");
  build.until([&] { return !build.bytes().empty() && !run.bytes().empty(); });
  house.loop.run_until_done(house.server->stop());
  CHECK(house.server->connections() == 0);
}

}  // namespace build::web
