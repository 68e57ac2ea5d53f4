// What may lie in a follower's cache: files, directories, links and pipes of any names and contents. A follower without
// a network, one that reaches its server, and one that is without a network again must each deliver a history, or say
// what is wrong; what they deliver is what its digest says, what the server has, and what is in the cache afterwards.
//
// The input has a line for each thing: KIND NAME CONTENT, of one letter each, but for "=", behind which all counts:
//
//   KIND     f a file, d a directory, D one with something in it, l a link to a file elsewhere, s one to itself, p a
//   pipe NAME     0 to 2 a whole segment, a to c the same growing, A to C of the same number another whole segment,
//            k "checked", o "lock", = a name
//   CONTENT  0 to 2 a segment, then, if there are more letters: - without its last byte, ! with a byte that is another
//            one, + and something behind it; = a text
#include <maintner/follower.h>
#include <maintner/log_server.h>
#include <maintner/segment_store.h>

#include <build/base/digest.h>
#include <build/base/file.h>
#include <build/net/server.h>
#include <io/event_loop.h>
#include <io/tcp.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace maintner;

namespace {

using List = std::shared_ptr<const SegmentList>;

constexpr const char* kNoNetwork = "http://255.255.255.255:1/logs";

void require(bool right, const std::string& what) {
  if (right) return;
  std::cerr << what << std::endl;
  std::abort();
}

std::string content_of(const fs::path& file) { return build::base::read_file(file, 1 << 20); }

std::string sha224(std::string_view bytes) {
  build::base::Sha224 digest;
  digest.update(bytes);
  return digest.hex();
}

fs::path made_directory() {
  std::string name = (fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/fuzz-cache.XXXXXX");
  require(::mkdtemp(name.data()) != nullptr, "no directory");
  return name;
}

/// What a follower came to.
struct Outcome {
  List list;          ///< null: it waits, or there was an error
  std::string error;  ///< empty: none
};

/// Two whole segments and one that grows, served on loopback, on a clock that is moved on when nothing else goes on.
class World {
 public:
  World() {
    for (const char c : {'a', 'b', 'c'}) store_.append(std::string(60, c));
    store_.commit();
    logs_.add_to(router_);
    io::spawn(loop_.executor(), server_.serve(listener_), [](std::exception_ptr) {});
    std::ofstream(elsewhere()) << "elsewhere";
  }
  ~World() {
    bool done = false;
    const auto end = [&]() -> io::Task<> {
      co_await server_.stop();
      done = true;
    };
    io::spawn(loop_.executor(), end(), [](std::exception_ptr) {});
    run(done);
    fs::remove_all(place_);
  }

  fs::path cache() const { return place_ / "cache"; }
  fs::path elsewhere() const { return place_ / "elsewhere"; }
  List served() const { return store_.segments(); }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(listener_.port()) + "/logs"; }

  Outcome follow(const std::string& server) {
    FollowerOptions options;
    options.server = server;
    options.cache = cache();
    options.trust.kind = io::TlsTrust::Kind::anyone;  // reading the system's roots takes longest
    Follower follower(loop_.executor(), clock_, pool_, options);
    Outcome outcome;
    bool done = false;
    io::asio::cancellation_signal stop;
    const auto next = [&]() -> io::Task<> { outcome.list = co_await follower.next(); };
    io::asio::co_spawn(loop_.executor(), next(),
                       io::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error) {
                         done = true;
                         try {
                           if (error) std::rethrow_exception(error);
                         } catch (const std::exception& failure) {
                           outcome.error = failure.what();
                         }
                       }));
    if (run(done)) return outcome;
    stop.emit(io::asio::cancellation_type::all);
    require(run(done), "it cannot be cancelled");
    outcome.error.clear();
    return outcome;
  }

 private:
  /// False if nothing becomes of it in a minute.
  bool run(const bool& done) {
    constexpr int kIdle = 10, kMoves = 4;
    for (int idle = 0, moves = 0; !done && moves < kMoves;) {
      std::size_t ran = loop_.poll();
      std::promise<void> reached;
      pool_.post([&] { reached.set_value(); });
      reached.get_future().wait();
      ran += loop_.poll();
      idle = ran > 0 ? 0 : idle + 1;
      if (idle < kIdle) continue;
      clock_.advance(std::chrono::seconds(16), [this] { loop_.poll(); });
      ++moves;
      idle = 0;
    }
    return done;
  }

  fs::path place_ = made_directory();
  io::VirtualClock clock_;
  io::EventLoop loop_;
  io::BlockingPool pool_{1};
  build::net::Router router_;
  SegmentStore store_{place_ / "segments", 100};
  LogServer logs_{loop_.executor(), clock_, pool_, store_};
  io::TcpListener listener_{loop_.executor(), io::HostPort{"127.0.0.1", "0"}};
  build::net::Server server_{
      loop_.executor(), clock_,
      [this](build::net::Request& request, build::net::Response& response) { return router_(request, response); }};
};

/// Fills the cache. Whether something stands in the way that nobody but its owner may remove.
class Filler {
 public:
  explicit Filler(const World& world) : world_(world) {}

  bool fill(std::string_view text) {
    fs::remove_all(world_.cache());
    fs::create_directory(world_.cache());
    constexpr int kMost = 20;
    for (int i = 0; i < kMost && !text.empty(); ++i) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      if (line.size() >= 2) put(line[0], line.substr(1));
    }
    return blocked_;
  }

 private:
  const Segment& segment(int number) const { return world_.served()->segments[static_cast<std::size_t>(number)]; }

  static std::string take_word(std::string_view& rest) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    return std::string(word);
  }

  std::string name(std::string_view& rest) const {
    const char c = rest[0];
    if (c == '=') return take_word(rest).substr(1);
    rest.remove_prefix(1);
    if (c >= '0' && c <= '2') return to_text({segment(c - '0').number, segment(c - '0').sha224});
    if (c >= 'a' && c <= 'c') return to_text({segment(c - 'a').number, {}});
    if (c >= 'A' && c <= 'C')
      return to_text({segment(c - 'A').number, sha224(rest.substr(std::min<std::size_t>(rest.size(), 1)))});
    if (c == 'k') return "checked";
    return c == 'o' ? "lock" : std::string();
  }

  std::string content(std::string_view rest) const {
    if (rest.empty() || rest[0] < '0' || rest[0] > '2')
      return std::string(rest.substr(std::min<std::size_t>(rest.size(), 1)));
    std::string text = content_of(segment(rest[0] - '0').file);
    for (const char how : rest.substr(1)) {
      if (how == '-' && !text.empty()) text.pop_back();
      if (how == '!' && !text.empty()) text[text.size() / 2] ^= 1;
      if (how == '+') text += "+";
    }
    return text;
  }

  void put(char kind, std::string_view rest) {
    const std::string called = name(rest);
    if (called.empty() || called.find('/') != called.npos || called.find('\0') != called.npos) return;
    const fs::path path = world_.cache() / called;
    std::error_code in_the_way;  // or too long
    if (fs::symlink_status(path, in_the_way).type() != fs::file_type::not_found) return;
    if (kind == 'f') {
      std::ofstream(path) << content(rest);
      return;
    }
    if (kind == 'd' || kind == 'D') fs::create_directory(path, in_the_way);
    if (kind == 'D') std::ofstream(path / "x") << "x";
    if (kind == 'l') fs::create_symlink(world_.elsewhere(), path, in_the_way);
    if (kind == 's') fs::create_symlink(called, path, in_the_way);
    if (kind == 'p') ::mkfifo(path.c_str(), 0600);
    blocked_ |= kind == 'D' || called == "lock";
  }

  const World& world_;
  bool blocked_ = false;
};

void check_list(const SegmentList& list) {
  std::uint64_t number = 0, size = 0;
  for (const Segment& segment : list.segments) {
    require(segment.number == number++, "a gap");
    size += segment.size;
    const std::string bytes = content_of(segment.file);
    require(bytes.size() >= segment.size && sha224(bytes.substr(0, segment.size)) == segment.sha224,
            segment.file.string() + " is not what was said");
    require(!segment.frozen || parse_segment_name(segment.file.filename().string())->sha224 == segment.sha224,
            segment.file.string() + " is not what its name says");
  }
  require(size == list.size, "another size than that of all");
}

/// `list` begins with what the server has.
void check_served(const SegmentList& list, const SegmentList& served) {
  require(list.segments.size() >= served.segments.size(), "segments are missing");
  for (std::size_t i = 0; i < served.segments.size(); ++i) {
    const std::string bytes = content_of(list.segments[i].file);
    require(bytes.substr(0, served.segments[i].size) == content_of(served.segments[i].file), "another history");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  const bool blocked = Filler(world).fill({reinterpret_cast<const char*>(data), size});
  const auto said = [&](const Outcome& outcome) {
    require(outcome.error.empty() || (blocked && outcome.error.find(world.cache().string()) != std::string::npos),
            "it says: " + outcome.error);
    return !outcome.error.empty();
  };
  const Outcome before = world.follow(kNoNetwork);
  if (said(before)) return 0;
  if (before.list) check_list(*before.list);
  const Outcome online = world.follow(world.address());
  if (said(online)) return 0;
  require(online.list != nullptr, "it waits for a server that is there");
  check_list(*online.list);
  check_served(*online.list, *world.served());
  require(online.list->size == world.served()->size, "another size than the server's");
  const Outcome after = world.follow(kNoNetwork);
  if (said(after)) return 0;
  require(after.list != nullptr, "the cache is empty");
  check_list(*after.list);
  check_served(*after.list, *world.served());
  require(content_of(world.elsewhere()) == "elsewhere", "a file elsewhere was changed");
  return 0;
}
