// The input is what a hostile peer sends: as a control line, to a Dialer, to a Listener (whose pick-ups get it as
// their answer, too), and as the answer to a registration.
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <revdial/control.h>
#include <revdial/dialer.h>
#include <revdial/listener.h>
#include <revdial/switch.h>

#include <cstdint>
#include <cstdlib>
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

struct World {
  io::VirtualClock clock;
  io::EventLoop loop;
  std::vector<io::StreamPtr> kept;

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
  void settle() {
    clock.advance(200s, [this] {
      while (loop.poll() > 0) {
      }
    });
  }
};

/// The token that seeds name.
void fill(std::span<std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 16 * 17);
}

io::Task<io::StreamPtr> dial_back(World& world, const std::string& answer) { co_return world.peer(answer); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  check_line(input);
  {
    World world;
    revdial::Pickups pickups;
    revdial::Dialer dialer(world.peer(input), world.clock, pickups, {.random = fill});
    world.start(ignore_end(dialer.run()));
    world.start(ignore_dial(dialer));
    world.settle();
    require(dialer.closed() && dialer.waiting() == 0 && pickups.size() == 0);
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
    world.start(ignore_stream(
        revdial::switch_protocols(world.peer(input), revdial::switch_request("/reverse"), world.clock, 10s)));
    world.settle();
  }
  return 0;
}
