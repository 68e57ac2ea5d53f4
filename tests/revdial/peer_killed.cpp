#include "peer_killed.h"

#include <io/event.h>
#include <io/event_loop.h>
#include <revdial/listener.h>
#include <revdial/server.h>
#include <revdial/switch.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace testing {

namespace {

using namespace std::chrono_literals;

enum class Side { worker, server };

/// What all rounds have in common.
struct Stage {
  io::EventLoop loop;
  io::RealClock clock;
  io::CertificatePem identity =
      io::make_self_signed("test", {"127.0.0.1"}, clock.wall_now() - 1h, std::chrono::days(2));
  io::TlsServerContext server_tls{identity};
  io::TlsClientContext client_tls{io::trust_in("", io::fingerprint_of(identity.certificate))};
};

class Round;

/// TCP of one of the sides. Its reads and writes are the round's steps.
class SteppedStream final : public io::ByteStream {
 public:
  SteppedStream(io::StreamPtr inner, Round& round, Side side);
  ~SteppedStream() override;

  io::Executor executor() override { return inner_->executor(); }
  io::Task<std::size_t> read_some(io::asio::mutable_buffer into) override { return read(*inner_, round_, into); }
  io::Task<> write(io::asio::const_buffer from) override { return write(*inner_, round_, from); }
  io::Task<> shutdown_write() override { return inner_->shutdown_write(); }
  void close() noexcept override { inner_->close(); }
  bool secure() const noexcept override { return false; }
  std::string peer() const override { return inner_->peer(); }
  Side side() const { return side_; }

 private:
  static io::Task<std::size_t> read(io::ByteStream& inner, std::shared_ptr<Round> round, io::asio::mutable_buffer into);
  static io::Task<> write(io::ByteStream& inner, std::shared_ptr<Round> round, io::asio::const_buffer from);

  io::StreamPtr inner_;
  std::shared_ptr<Round> round_;
  Side side_;
};

class Round : public std::enable_shared_from_this<Round> {
 public:
  Round(Stage& stage, Side mortal, int life)
      : stage_(stage),
        mortal_(mortal),
        life_(life),
        tcp_(stage.loop.executor(), io::HostPort{"127.0.0.1", "0"}),
        server_(stage.loop.executor(), stage.clock, stage.server_tls, options()),
        changed_(stage.loop.executor()) {}

  static io::Task<> play(std::shared_ptr<Round> self);
  int steps() const { return steps_; }
  bool was_cut() const { return cut_; }

  void enter(SteppedStream* stream) {
    streams_.insert(stream);
    if (cut_ && stream->side() == mortal_) stream->close();
  }
  void leave(SteppedStream* stream) { streams_.erase(stream); }
  /// The mortal side's connections end at once after the last step of its life.
  void step() {
    if (++steps_ != life_) return;
    cut_ = true;
    for (SteppedStream* stream : std::set<SteppedStream*>(streams_))
      if (stream->side() == mortal_) stream->close();
    over();
  }

 private:
  revdial::ServerOptions options() {
    revdial::ServerOptions options;
    options.dialer.random = [](std::span<std::byte> bytes) {
      static unsigned long next = 0;
      ++next;
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(next >> (i % 8 * 8));
    };
    options.dialer.max_ready = 1;
    options.admit = [](const io::RequestHead&) { return std::string(); };
    options.on_session = [this](const io::RequestHead&, std::shared_ptr<revdial::Dialer> dialer) {
      start(serve_session(std::move(dialer)));
    };
    return options;
  }

  void over() {
    over_ = true;
    tcp_.close();
    if (listener_) listener_->close();
    changed_.notify_all();
  }
  /// The round is not over before the task is, and then it is over.
  void start(io::Task<> task) {
    ++tasks_;
    io::spawn(stage_.loop.executor(), guarded(shared_from_this(), std::move(task)), [](std::exception_ptr) {});
  }
  static io::Task<> guarded(std::shared_ptr<Round> self, io::Task<> task) {
    try {
      co_await std::move(task);
    } catch (const std::exception&) {
      self->over();  // what a peer's end leads to, wherever it does
    }
    --self->tasks_;
    self->changed_.notify_all();
  }

  io::StreamPtr stepped(io::StreamPtr stream, Side side) {
    return std::make_unique<SteppedStream>(std::move(stream), *this, side);
  }
  io::Task<> accept() {
    while (!over_) {
      io::StreamPtr transport = co_await tcp_.accept(stage_.clock);
      start(serve(stepped(std::move(transport), Side::server)));
    }
  }
  io::Task<> serve(io::StreamPtr transport) {
    io::StreamPtr stream = co_await stage_.server_tls.accept(std::move(transport), stage_.clock, 10s);
    co_await server_.serve(std::move(stream));
  }

  io::Task<io::StreamPtr> dial_server() {
    io::HostPort address{"127.0.0.1", std::to_string(tcp_.port())};
    io::StreamPtr tcp = co_await io::tcp_connect(stage_.loop.executor(), stage_.clock, std::move(address), 10s);
    io::StreamPtr transport = stepped(std::move(tcp), Side::worker);
    step();
    co_return co_await stage_.client_tls.connect(std::move(transport), "127.0.0.1", stage_.clock, 10s);
  }
  io::Task<> work() {
    io::StreamPtr stream = co_await dial_server();
    io::RequestHead request = revdial::switch_request("/reverse");
    io::StreamPtr control =
        co_await revdial::switch_protocols(std::move(stream), std::move(request), stage_.clock, 10s);
    listener_ = std::make_unique<revdial::Listener>(
        std::move(control), [this] { return dial_server(); }, stage_.clock);
    start(accept_dialed());
    if (over_) listener_->close();
    co_await listener_->run();
    over();
  }
  io::Task<> accept_dialed() {
    while (io::StreamPtr stream = co_await listener_->accept()) {
      start(echo(std::move(stream)));
      ++accepted_;
      changed_.notify_all();
    }
  }
  io::Task<> echo(io::StreamPtr stream) {
    std::array<char, 64> piece;
    const auto room = io::asio::buffer(piece);
    while (const std::size_t count = co_await stream->read_some(room)) {
      co_await stream->write(std::string_view(piece.data(), count));
    }
    co_await stream->shutdown_write();
  }

  io::Task<> serve_session(std::shared_ptr<revdial::Dialer> dialer) {
    for (int i = 0; i < 3 && !over_; ++i) {
      io::StreamPtr stream = co_await dialer->dial(10s);
      const std::string_view text = "hello";
      co_await stream->write(text);
      std::array<char, 64> piece;
      const auto room = io::asio::buffer(piece);
      co_await stream->read_some(room);
      co_await stream->shutdown_write();
      while (co_await stream->read_some(room) > 0) {
      }
      // So that the next dial finds one that is ready.
      while (i < 2 && !over_ && accepted_ < i + 2) co_await changed_.wait();
    }
    dialer->close();
  }

  Stage& stage_;
  const Side mortal_;
  const int life_;  // in steps
  int steps_ = 0;
  bool cut_ = false, over_ = false;
  int tasks_ = 0;
  int accepted_ = 0;
  std::set<SteppedStream*> streams_;
  io::TcpListener tcp_;
  revdial::Server server_;
  std::unique_ptr<revdial::Listener> listener_;
  io::Event changed_;
};

SteppedStream::SteppedStream(io::StreamPtr inner, Round& round, Side side)
    : inner_(std::move(inner)), round_(round.shared_from_this()), side_(side) {
  round_->enter(this);
}
SteppedStream::~SteppedStream() {
  close();
  round_->leave(this);
}
io::Task<std::size_t> SteppedStream::read(io::ByteStream& inner, std::shared_ptr<Round> round,
                                          io::asio::mutable_buffer into) {
  const std::size_t count = co_await inner.read_some(into);
  round->step();
  co_return count;
}
io::Task<> SteppedStream::write(io::ByteStream& inner, std::shared_ptr<Round> round, io::asio::const_buffer from) {
  co_await inner.write(from);
  round->step();
}

io::Task<> Round::play(std::shared_ptr<Round> self) {
  self->start(self->accept());
  self->start(self->work());
  while (!self->over_) co_await self->changed_.wait();
  co_await self->server_.stop();
  while (self->tasks_ > 0) co_await self->changed_.wait();
  self->listener_.reset();  // its streams hold the round
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// Of a line through the points (i, values[i]).
double slope_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto x = static_cast<double>(i);
    sum_x += x;
    sum_y += values[i];
    sum_xx += x * x;
    sum_xy += x * values[i];
  }
  return (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x * sum_x);
}

/// Cuts rounds ever later.
class Reaper {
 public:
  int steps = 0;

  void play_round() {
    const auto round = std::make_shared<Round>(stage_, mortal_, life_);
    stage_.loop.run_until_done(Round::play(round));
    while (stage_.loop.poll() > 0) {
    }
    steps = std::max(steps, round->steps());
    ++life_;
    if (round->was_cut()) return;
    life_ = 1;
    mortal_ = mortal_ == Side::worker ? Side::server : Side::worker;
  }

 private:
  Stage stage_;
  Side mortal_ = Side::worker;
  int life_ = 1;
};

}  // namespace

Leftovers kill_peers(int warm_up, int rounds) {
  Reaper reaper;
  for (int i = 0; i < warm_up; ++i) reaper.play_round();
  const std::ptrdiff_t descriptors = open_descriptors();
  std::vector<double> resident(static_cast<std::size_t>(rounds), 1);  // it must not grow itself
  for (double& bytes : resident) {
    reaper.play_round();
    bytes = resident_bytes();
  }
  return {reaper.steps, open_descriptors() - descriptors, rounds > 1 ? slope_of(resident) : 0};
}

}  // namespace testing
