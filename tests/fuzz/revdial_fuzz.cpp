// The input is what a hostile peer sends: as a control line, to a Dialer (also on a connection that is picked up and
// kept ready), to a Listener (whose pick-ups get it as their answer, too), to a Server, and as the answer to a
// registration.
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <revdial/control.h>
#include <revdial/dialer.h>
#include <revdial/listener.h>
#include <revdial/server.h>
#include <revdial/switch.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_line(std::string_view line) {
  try {
    const revdial::ControlMessage message = revdial::parse_control_line(line);
    if (message.command.size() + message.conn_path.size() > 400) return;
    const std::string written = revdial::serialize_control(message);
    require(written.size() <= revdial::kMaxControlLine && written.ends_with("}\n"));
    const revdial::ControlMessage again = revdial::parse_control_line(written);
    require(again.command == message.command && again.conn_path == message.conn_path);
    require(again.err == message.err || again.err.ends_with("..."));
  } catch (const revdial::ControlError&) {
    return;
  }
}

io::Task<> send(io::ByteStream& stream, std::string text) {
  co_await stream.write(text);
  co_await stream.shutdown_write();
}

io::Task<> drain(io::ByteStream& stream) {
  std::vector<char> piece(4096);
  const auto room = io::asio::buffer(piece);
  while (co_await stream.read_some(room) > 0) {
  }
}

io::Task<> ignore_dial(revdial::Dialer& dialer) { co_await dialer.dial(10s); }
io::Task<> ignore_end(io::Task<revdial::SessionEnd> task) { co_await std::move(task); }
io::Task<> ignore_stream(io::Task<io::StreamPtr> task) { co_await std::move(task); }

/// One for all inputs, since it takes longer to make than all else.
io::EventLoop& the_loop() {
  static io::EventLoop loop;
  return loop;
}

struct World {
  io::VirtualClock clock;
  io::EventLoop& loop = the_loop();
  std::vector<io::StreamPtr> kept;

  /// Nothing of it is left on the loop.
  ~World() {
    for (const io::StreamPtr& stream : kept) stream->close();
    settle();
  }

  void start(io::Task<> task) {
    io::spawn(loop.executor(), std::move(task), [](const std::exception_ptr&) {});
  }
  /// A connection whose other end sends `text`, ends, and reads everything.
  io::StreamPtr peer(const std::string& text) {
    auto pair = io::make_memory_pair(loop.executor());
    io::ByteStream& far = *pair.second;
    kept.push_back(std::move(pair.second));
    start(send(far, text));
    start(drain(far));
    return std::move(pair.first);
  }
  void advance(io::Duration time) {
    clock.advance(time, [this] {
      while (loop.poll() > 0) {
      }
    });
  }
  void settle() { advance(200s); }
};

/// The first token is the one that seeds name.
revdial::RandomBytes tokens() {
  return [next = 0U](std::span<std::byte> bytes) mutable {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 16 * 17);
    bytes.front() = static_cast<std::byte>(next++);
  };
}
constexpr std::string_view kFirstToken = "00112233445566778899aabbccddeeff";

/// Says of itself that it is encrypted.
class Secure final : public io::ByteStream {
 public:
  explicit Secure(io::StreamPtr inner) : inner_(std::move(inner)) {}
  io::Executor executor() override { return inner_->executor(); }
  io::Task<std::size_t> read_some(io::asio::mutable_buffer into) override { return inner_->read_some(into); }
  io::Task<> write(io::asio::const_buffer from) override { return inner_->write(from); }
  io::Task<> shutdown_write() override { return inner_->shutdown_write(); }
  void close() noexcept override { inner_->close(); }
  bool secure() const noexcept override { return true; }
  std::string peer() const override { return inner_->peer(); }

 private:
  io::StreamPtr inner_;
};

const io::TlsServerContext& tls() {
  static const io::TlsServerContext context(
      io::make_self_signed("fuzz", {"localhost"}, io::WallTime{}, std::chrono::days{1}));
  return context;
}

io::Task<io::StreamPtr> dial_back(World& world, const std::string& answer) { co_return world.peer(answer); }

struct Lines {
  std::vector<std::string> whole;
  bool refused = false;
  friend bool operator==(const Lines&, const Lines&) = default;
};

io::Task<> read_lines(io::StreamPtr stream, Lines& lines) {
  revdial::LineReader reader(*stream);
  try {
    while (const std::optional<std::string> line = co_await reader.next()) lines.whole.push_back(*line);
  } catch (const revdial::ControlError&) {
    lines.refused = true;
  }
}

/// As the page on the protocol says it.
Lines cut_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || end >= revdial::kMaxControlLine) {
      lines.refused = true;
      break;
    }
    lines.whole.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

/// Also with a line before the input that is just short enough, or just not.
void check_lines(const std::string& input) {
  const std::size_t length =
      revdial::kMaxControlLine - 4 + (input.empty() ? 0 : static_cast<unsigned char>(input[0]) % 8);
  for (const std::string& text : {input, std::string(length, 'a') + "\n" + input}) {
    World world;
    Lines lines;
    world.start(read_lines(world.peer(text), lines));
    world.settle();
    require(lines == cut_lines(text));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  check_line(input);
  check_lines(input);
  {
    World world;
    revdial::Pickups pickups;
    revdial::Dialer dialer(world.peer(input), world.clock, pickups, {.random = tokens()});
    world.start(ignore_end(dialer.run()));
    world.start(ignore_dial(dialer));
    world.settle();
    require(dialer.closed() && dialer.waiting() == 0 && pickups.size() == 0);
  }
  {
    World world;
    revdial::Pickups pickups;
    auto control = io::make_memory_pair(world.loop.executor());
    revdial::Dialer dialer(std::move(control.first), world.clock, pickups, {.random = tokens()});
    world.start(ignore_end(dialer.run()));
    world.start(drain(*control.second));
    world.start(ignore_dial(dialer));
    world.advance(1ms);
    require(pickups.offer(kFirstToken, world.peer(input)) == revdial::PickupResult::taken);
    world.advance(10ms);  // now one is asked for that is to be kept
    require(pickups.size() == 1);
    std::string second(kFirstToken);
    second[1] = '1';
    require(pickups.offer(second, world.peer(input)) == revdial::PickupResult::kept);
    world.advance(1ms);
    require(dialer.ready() == 0 || input.size() >= 4096);  // it has ended, unless it was too much to be heard out
    dialer.close();
    world.settle();
  }
  {
    World world;
    revdial::Listener listener(
        world.peer(input), [&] { return dial_back(world, input); }, world.clock);
    world.start(ignore_end(listener.run()));
    world.settle();
    require(listener.closed());
  }
  {
    World world;
    revdial::ServerOptions options;
    options.dialer.random = tokens();
    options.admit = [](const io::RequestHead&) { return std::string(); };
    options.on_session = [](const io::RequestHead&, const std::shared_ptr<revdial::Dialer>&) {};
    revdial::Server server(world.loop.executor(), world.clock, tls(), std::move(options));
    world.start(server.serve(std::make_unique<Secure>(world.peer(input))));
    world.settle();
    require(server.sessions() == 0);
  }
  {
    World world;
    world.start(ignore_stream(
        revdial::switch_protocols(world.peer(input), revdial::switch_request("/reverse"), world.clock, 10s)));
    world.settle();
  }
  return 0;
}
