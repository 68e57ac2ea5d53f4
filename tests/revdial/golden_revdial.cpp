// The session that was recorded of the original, played again with our Dialer against the recorded listener and
// with our Listener against the recorded dialer, on a virtual clock. What the recording program itself did (echo,
// 307 and 400 answers made for the purpose) comes from the recording.
#include <revdial/dialer.h>
#include <revdial/listener.h>
#include <revdial/switch.h>

#include "golden_session.h"
#include "harness.h"
#include "support/support.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>

using namespace revdial;
using namespace testing;
using Kind = RecordedEvent::Kind;

namespace {

constexpr std::string_view kData = "revdial/transcript.json";

std::string after(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? std::string(text.substr(prefix.size())) : "";
}

/// What stands between `begin` and `end` in `text`; empty if there is no `begin`.
std::string between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t at = text.find(begin);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + begin.size());
  return std::string(text.substr(0, text.find(end)));
}

/// Takes one control line, or everything that is there if it is no whole line.
std::string take_line(std::string& buffer) {
  const std::size_t end = buffer.find('\n');
  std::string line = buffer.substr(0, end == std::string::npos ? buffer.size() : end + 1);
  buffer.erase(0, line.size());
  return line;
}

class Replay {
 protected:
  Replay(const RecordedSession& session, Tally& tally, std::string role)
      : session_(session), tally_(tally), role_(std::move(role)) {}
  virtual ~Replay() = default;

  void play() {
    for (at_ = 0; at_ < session_.events.size(); ++at_) {
      const RecordedEvent& event = session_.events[at_];
      world_.advance(std::chrono::milliseconds(event.ms) - (world_.clock.now() - start_));
      const std::string dial = between(event.data, "Dial called (", ")");
      if (event.kind == Kind::note && !dial.empty()) dial_ = dial;
      step(event);
      world_.settle();
    }
  }

  virtual void step(const RecordedEvent& event) = 0;

  void compare(const std::string& what, const std::string& recorded, const std::string& ours) {
    tally_.compare(role_ + ", " + (dial_.empty() ? "set-up" : dial_) + ": " + what, recorded, ours);
  }

  /// The next event that went this way on this connection.
  const RecordedEvent& next(int connection, Kind kind) const {
    for (std::size_t i = at_ + 1; i < session_.events.size(); ++i) {
      if (session_.events[i].connection == connection && session_.events[i].kind == kind) return session_.events[i];
    }
    throw std::runtime_error("the recording ends too early");
  }

  const RecordedSession& session_;
  Tally& tally_;
  const std::string role_;
  World world_;
  const io::Instant start_ = world_.clock.now();
  std::size_t at_ = 0;
  std::string dial_;  // what is being tried
};

/// Our Dialer, Pickups and check_pickup() as the server that the recorded listener dialed.
class DialerReplay final : public Replay {
 public:
  DialerReplay(const RecordedSession& session, Tally& tally) : Replay(session, tally, "dialer") {
    play();
    // A keep-alive after the recording's end would stand here.
    compare("nothing more is sent", "", control_ + listener_->take());
  }

 private:
  void step(const RecordedEvent& event) override {
    if (event.connection == -2) {
      probe(event);
    } else if (event.kind == Kind::note) {
      note(event);
    } else if (event.connection == 1) {
      control(event);
    } else {
      picked_up(event);
    }
  }

  void control(const RecordedEvent& event) {
    if (event.data.starts_with("GET /reverse")) {
      auto pair = io::make_memory_pair(world_.executor());
      listener_ = std::make_unique<Peer>(world_, std::move(pair.second));
      DialerOptions options;
      options.random = [this](std::span<std::byte> bytes) { fill(bytes); };
      options.max_ready = 0;  // the original has none
      dialer_ = std::make_unique<Dialer>(std::move(pair.first), world_.clock, pickups_, std::move(options));
    } else if (event.data.starts_with("HTTP/")) {
      compare("answer to the registration", event.data, std::string(kSwitchResponse));
      run_ = world_.start(dialer_->run());
    } else if (event.kind == Kind::to_dialer) {
      listener_->send(replaced(event.data, session_.dialer_id, token_));
    } else {
      control_ += listener_->take();
      const std::string command = between(event.data, "\"command\":\"", "\"");
      const std::string line = take_line(control_);
      if (const std::string token = between(line, "revdial.dialer=", "\""); !token.empty()) token_ = token;
      compare(command, event.data, replaced(line, token_, session_.dialer_id));
    }
  }

  /// The original has one id for all of the session, we have a token for each dial.
  static std::string replaced(std::string text, const std::string& what, const std::string& with) {
    if (const std::size_t at = what.empty() ? text.npos : text.find(what); at != text.npos) {
      text.replace(at, what.size(), with);
    }
    return text;
  }

  void fill(std::span<std::byte> bytes) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(next_byte_++);
  }

  void note(const RecordedEvent& event) {
    if (event.connection != -1) {
      if (event.connection == 1 && event.data == "listener side read ended: EOF") {
        compare("the listener sees the end", "yes", listener_->saw_end() ? "yes" : "no");
        CHECK(run_.done());
      }
      return;
    }
    const std::string error = after(event.data, "dialer: Dial returned error: ");
    const std::string after_close = after(event.data, "dialer: Dial after Close returns: ");
    if (event.data.starts_with("dialer: Dial called")) {
      outcome_ = world_.start(dialer_->dial(60s));
    } else if (event.data == "dialer: Dial returned a connection") {
      accept_pickup();
    } else if (!error.empty()) {
      compare("the dial's error", error, outcome_.done() ? outcome_.error() : "none");
    } else if (event.data == "dialer: Close called") {
      dialer_->close();
    } else if (!after_close.empty()) {
      compare("a dial after the end", after_close, world_.start(dialer_->dial(60s)).error());
    }
  }

  void picked_up(const RecordedEvent& event) {
    if (event.data.starts_with("GET /")) {
      if (next(event.connection, Kind::to_listener).data.starts_with("HTTP/0.0")) {
        CHECK(check_pickup(true, "GET", token_, pickups_).status == 101);
      }
    } else if (event.data.starts_with("HTTP/0.0")) {
      compare("answer to the pick-up", event.data, std::string(kSwitchResponse));
    } else if (event.data.starts_with("HTTP/")) {
      return;  // made up by the recording program
    } else if (event.kind == Kind::to_listener) {
      world_.start(write(*connection_, event.data));
      compare("to the worker", event.data, worker_->take());
    } else {
      worker_->send(event.data);
      compare("from the worker", event.data, read_ready(world_, *connection_));
    }
  }

  void accept_pickup() {
    auto pair = io::make_memory_pair(world_.executor());
    worker_ = std::make_unique<Peer>(world_, std::move(pair.second));
    const PickupResult result = pickups_.offer(token_, std::move(pair.first));
    world_.settle();
    const bool connected = result == PickupResult::taken && outcome_.done() && outcome_.error().empty();
    compare("the dial's connection", "yes", connected ? "yes" : "no");
    if (connected) connection_ = std::move(outcome_.value());
  }

  void probe(const RecordedEvent& event) {
    if (event.kind == Kind::note) {
      dial_ = event.data;
      return;
    }
    if (event.kind == Kind::to_dialer) return;
    const std::string request = session_.events[at_ - 1].data;
    const PickupAnswer answer =
        check_pickup(dial_.find("plain TCP") == std::string::npos, request.substr(0, request.find(' ')),
                     between(request, "revdial.dialer=", " "), pickups_);
    compare("status", between(event.data, " ", " "), std::to_string(answer.status));
    compare("text", event.data.substr(event.data.find("\r\n\r\n") + 4), std::string(answer.text) + "\n");
    compare("allow", between(event.data, "Allow: ", "\r\n"), std::string(answer.allow));
  }

  static io::Task<> write(io::ByteStream& stream, std::string text) { co_await stream.write(text); }

  Pickups pickups_;
  std::unique_ptr<Peer> listener_, worker_;
  std::unique_ptr<Dialer> dialer_;
  Running<SessionEnd> run_;
  Running<io::StreamPtr> outcome_;
  io::StreamPtr connection_;
  std::string control_, token_;
  unsigned char next_byte_ = 1;
};

/// Our Listener as the worker that the recorded dialer talked to.
class ListenerReplay final : public Replay {
 public:
  ListenerReplay(const RecordedSession& session, Tally& tally) : Replay(session, tally, "listener") {
    play();
    compare("nothing more is sent", "", control_ + servers_.at(1)->take());
  }

 private:
  void step(const RecordedEvent& event) override {
    if (event.connection == -2) return;
    if (event.kind == Kind::note) {
      note(event);
    } else if (event.connection == 1) {
      control(event);
    } else {
      picked_up(event);
    }
  }

  void note(const RecordedEvent& event) {
    if (event.connection == 1 && event.data == "listener opens a TLS connection to the dialer's server") {
      auto pair = io::make_memory_pair(world_.executor());
      servers_[1] = std::make_unique<Peer>(world_, std::move(pair.second));
      io::RequestHead request = switch_request("/reverse");
      request.fields.add("X-Go-Builder-Hostname", "golden");
      request.fields.add("X-Go-Builder-Key", "0123456789abcdef0123456789abcdef");
      request.fields.add("X-Go-Builder-Version", "28");
      request.fields.add("X-Go-Host-Type", "host-linux-test");
      request.fields.add("X-Revdial-Version", "2");
      registration_ = world_.start(switch_protocols(std::move(pair.first), std::move(request), world_.clock, 30s));
    } else if (event.connection > 1 && event.data == "listener opens a TLS connection to the dialer's server") {
      compare("a connection is opened", "yes", servers_.contains(event.connection) ? "yes" : "no");
    } else if (event.data.starts_with("dialer: Dial called")) {
      refuse_ = event.data.find("cannot dial back") != std::string::npos;
    } else if (event.data == "dialer: Close called") {
      servers_.at(1)->end();
    } else if (event.data == "listener side read ended: EOF" && event.connection > 1) {
      servers_.at(event.connection)->end();
      accepted_->close();
    } else if (event.data == "listener side closes the connection") {
      compare("the connection is closed", "yes", servers_.at(event.connection)->saw_end() ? "yes" : "no");
    } else if (event.data.starts_with("Listener.Accept returned: ")) {
      auto accept = world_.start(listener_->accept());
      compare("accept after the end", "null", accept.done() && accept.value() == nullptr ? "null" : "something else");
    } else if (const std::string closed = after(event.data, "listener Closed() = "); !closed.empty()) {
      compare("closed()", closed, listener_->closed() ? "true" : "false");
      CHECK(run_.value().cause == SessionEnd::Cause::closed_by_peer);
    }
  }

  void control(const RecordedEvent& event) {
    if (event.data.starts_with("GET /reverse")) {
      compare("registration", event.data, servers_.at(1)->take());
    } else if (event.data.starts_with("HTTP/0.0")) {
      servers_.at(1)->send(event.data);
      listener_ = std::make_unique<Listener>(
          std::move(registration_.value()), [this] { return dial(); }, world_.clock);
      run_ = world_.start(listener_->run());
    } else if (event.kind == Kind::to_listener) {
      servers_.at(1)->send(event.data);
    } else {
      control_ += servers_.at(1)->take();
      compare("report", event.data, take_line(control_));
    }
  }

  void picked_up(const RecordedEvent& event) {
    Peer& server = *servers_.at(event.connection);
    if (event.data.starts_with("GET /")) {
      compare("request to " + between(event.data, "GET ", "?"), event.data, server.take());
    } else if (event.data.starts_with("HTTP/0.0")) {
      server.send(event.data);
      auto accept = world_.start(listener_->accept());
      compare("a connection is accepted", "yes", accept.done() ? "yes" : "no");
      if (accept.done()) accepted_ = std::move(accept.value());
    } else if (event.kind == Kind::to_listener) {
      server.send(event.data);
    } else {
      // The recorded listener wrote back what it had read.
      world_.start(echo(*accepted_));
      compare("echo", event.data, server.take());
    }
  }

  io::Task<io::StreamPtr> dial() {
    if (refuse_) throw std::runtime_error("connection refused by test");
    auto pair = io::make_memory_pair(world_.executor());
    servers_[++dialed_] = std::make_unique<Peer>(world_, std::move(pair.second));
    co_return std::move(pair.first);
  }

  static io::Task<> echo(io::ByteStream& stream) {
    char piece[1024];
    const auto room = boost::asio::buffer(piece);
    const std::size_t count = co_await stream.read_some(room);
    co_await stream.write(std::string_view(piece, count));
  }

  std::map<int, std::unique_ptr<Peer>> servers_;
  Running<io::StreamPtr> registration_;
  std::unique_ptr<Listener> listener_;
  Running<SessionEnd> run_;
  io::StreamPtr accepted_;
  bool refuse_ = false;
  int dialed_ = 1;
  std::string control_;
};

}  // namespace

TEST_CASE("the recorded session goes the same way with our dialer and with our listener") {
  const auto directory = golden("revdial", "golden_revdial");
  if (!directory) return;
  const RecordedSession session = load_session(*directory / "transcript.json");
  Tally tally(session.dialer_id);
  { DialerReplay replay(session, tally); }
  { ListenerReplay replay(session, tally); }
  tally.finish(XBUILD_DIFFERENCES, std::string(kData));
}
