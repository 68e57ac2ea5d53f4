#include <io/event.h>
#include <io/relay.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace io {
namespace {

constexpr std::size_t kPiece = 16 * 1024;

struct Pair {
  Pair(StreamPtr a, StreamPtr b) : one(std::move(a)), other(std::move(b)), changed(one->executor()) {}

  void close() noexcept {
    one->close();
    other->close();
  }

  StreamPtr one, other;
  int running = 2;
  Event changed;
};

Task<> copy(ByteStream& from, ByteStream& to) {
  std::vector<char> piece(kPiece);
  for (;;) {
    const auto room = asio::buffer(piece);
    const std::size_t count = co_await from.read_some(room);
    if (count == 0) break;
    const asio::const_buffer bytes(piece.data(), count);
    co_await to.write(bytes);
  }
  co_await to.shutdown_write();
}

enum class Way { forth, back };

Task<> copy_one_way(std::shared_ptr<Pair> pair, Way way) {
  ByteStream& from = way == Way::forth ? *pair->one : *pair->other;
  ByteStream& to = way == Way::forth ? *pair->other : *pair->one;
  try {
    co_await copy(from, to);
  } catch (const boost::system::system_error&) {
    pair->close();  // whoever is at the other end sees the connection broken, too
  }
  --pair->running;
  pair->changed.notify_all();
}

}  // namespace

Task<> relay(StreamPtr one, StreamPtr other) {
  const auto pair = std::make_shared<Pair>(std::move(one), std::move(other));
  // However this ends, so do the two copies.
  struct Closer {
    Pair& pair;
    ~Closer() { pair.close(); }
  } closer{*pair};
  const Executor executor = pair->one->executor();
  for (const Way way : {Way::forth, Way::back}) {
    spawn(executor, copy_one_way(pair, way), [pair](std::exception_ptr) { pair->close(); });
  }
  while (pair->running > 0) co_await pair->changed.wait();
}

}  // namespace io
