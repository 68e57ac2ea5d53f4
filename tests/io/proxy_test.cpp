#include <io/event_loop.h>
#include <io/proxy.h>

#include "world.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

using Variables = std::map<std::string, std::string>;

std::optional<io::Proxy> proxy_for(const std::string& target, const Variables& variables) {
  return io::proxy_for(io::HostPort::parse(target), [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

std::string said_of(const std::string& url) {
  try {
    proxy_for("farm.example:443", {{"HTTPS_PROXY", url}});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

/// What becomes of a request for a connection to farm.example:443 when the proxy answers with `answer`.
struct Asked {
  std::string request, error, surplus;
};

io::Task<> play_proxy(io::ByteStream& stream, std::string answer, std::string& request) {
  std::string piece(4096, '\0');
  const auto room = io::asio::buffer(piece);
  const std::size_t count = co_await stream.read_some(room);
  request = piece.substr(0, count);
  co_await stream.write(answer);
  co_await stream.shutdown_write();
}

io::Task<> ask(io::StreamPtr stream, io::Proxy proxy, io::Clock& clock, Asked& asked) {
  try {
    io::HostPort target{"farm.example", "443"};
    io::StreamPtr connection =
        co_await io::ask_proxy(std::move(stream), std::move(proxy), std::move(target), clock, 10s);
    co_await testing::read_until_end(*connection, asked.surplus);
  } catch (const std::exception& error) {
    asked.error = error.what();
  }
}

Asked ask(const std::string& answer, const std::string& credentials = "") {
  testing::World world;
  Asked asked;
  auto pair = io::make_memory_pair(world.loop.executor());
  io::Proxy proxy{.address = {"proxy.example", "3128"}, .credentials = credentials};
  std::vector<io::Task<>> tasks;
  tasks.push_back(play_proxy(*pair.second, answer, asked.request));
  tasks.push_back(ask(std::move(pair.first), std::move(proxy), world.clock, asked));
  world.run(std::move(tasks));
  return asked;
}

}  // namespace

TEST_CASE("the environment names the proxy, its port and its credentials") {
  CHECK_FALSE(proxy_for("farm.example:443", {}));
  CHECK_FALSE(proxy_for("farm.example:443", {{"HTTPS_PROXY", ""}}));
  CHECK_FALSE(proxy_for("farm.example:443", {{"HTTP_PROXY", "http://proxy:1"}}));

  struct Case {
    std::string url, address;
    bool tls;
    std::string credentials;
  };
  const std::vector<Case> cases{
      {"http://proxy.example:3128", "proxy.example:3128", false, ""},
      {"http://proxy.example:3128/", "proxy.example:3128", false, ""},
      {"HTTP://proxy.example", "proxy.example:80", false, ""},
      {"proxy.example:3128", "proxy.example:3128", false, ""},
      {"proxy.example", "proxy.example:80", false, ""},
      {"https://proxy.example", "proxy.example:443", true, ""},
      {"http://[::1]:8080", "[::1]:8080", false, ""},
      {"http://[::1]", "[::1]:80", false, ""},
      {"http://joe:s%40cret@proxy.example:1", "proxy.example:1", false, "joe:s@cret"},
      {"http://joe@proxy.example:1", "proxy.example:1", false, "joe:"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.url);
    const auto proxy = proxy_for("farm.example:443", {{"https_proxy", each.url}});
    REQUIRE(proxy);
    CHECK(proxy->address.str() == each.address);
    CHECK(proxy->tls == each.tls);
    CHECK(proxy->credentials == each.credentials);
  }
  CHECK(proxy_for("farm.example:443", {{"HTTPS_PROXY", "one:1"}, {"https_proxy", "two:2"}})->address.host == "one");
}

TEST_CASE("a proxy that cannot be used is refused with a sentence that keeps its password") {
  for (const std::string& url :
       std::vector<std::string>{"socks5://joe:secret@proxy:1", "http://joe:secret@", "http://joe:secret@proxy:x:y",
                                "http://joe:secr%zzet@proxy:1", "http://joe:secret@:80", "http://joe:secret@[::1:80"}) {
    CAPTURE(url);
    const std::string said = said_of(url);
    CHECK(said.starts_with("the proxy that HTTPS_PROXY names cannot be used: "));
    CHECK(said.find("secr") == std::string::npos);
  }
}

TEST_CASE("NO_PROXY names what is reached directly") {
  struct Case {
    std::string list, target;
    bool direct;
  };
  const std::vector<Case> cases{
      {"", "farm.example:443", false},
      {"*", "farm.example:443", true},
      {"farm.example", "farm.example:443", true},
      {"FARM.example", "farm.EXAMPLE:443", true},
      {"example", "farm.example:443", true},
      {"ample", "farm.example:443", false},
      {"other, farm.example ,x", "farm.example:443", true},
      {"other,,x", "farm.example:443", false},
      {".farm.example", "farm.example:443", false},
      {".farm.example", "a.farm.example:443", true},
      {"*.farm.example", "a.farm.example:443", true},
      {"*.farm.example", "farm.example:443", false},
      {"farm.example:443", "farm.example:443", true},
      {"farm.example:8119", "farm.example:443", false},
      {"192.0.2.7", "192.0.2.7:443", true},
      {"192.0.2.7:443", "192.0.2.7:443", true},
      {"192.0.2.7:444", "192.0.2.7:443", false},
      {"192.0.2.0/24", "192.0.2.7:443", true},
      {"192.0.3.0/24", "192.0.2.7:443", false},
      {"192.0.2.7/24", "192.0.2.9:443", true},
      {"192.0.2.0/24", "farm.example:443", false},
      {"2001:db8::7", "[2001:db8::7]:443", true},
      {"[2001:db8::7]:443", "[2001:db8:0::7]:443", true},
      {"2001:db8::/32", "[2001:db8:1::7]:443", true},
      {"2001:db8::/32", "[2001:db9::7]:443", false},
      {"192.0.2.0/999", "192.0.2.7:443", false},
      {"", "localhost:443", true},
      {"", "127.0.0.1:443", true},
      {"", "127.9.9.9:443", true},
      {"", "[::1]:443", true},
      {"", "[::ffff:127.0.0.1]:443", true},
      {"", "0.0.0.1:443", false},
  };
  for (const Case& each : cases) {
    CAPTURE(each.list);
    CAPTURE(each.target);
    CHECK(!proxy_for(each.target, {{"HTTPS_PROXY", "proxy:1"}, {"NO_PROXY", each.list}}) == each.direct);
    CHECK(!proxy_for(each.target, {{"HTTPS_PROXY", "proxy:1"}, {"no_proxy", each.list}}) == each.direct);
  }
}

TEST_CASE("a proxy is asked with CONNECT, and what comes behind its answer is kept") {
  Asked asked = ask("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nearly");
  CHECK(asked.request == "CONNECT farm.example:443 HTTP/1.1\r\nHost: farm.example:443\r\n\r\n");
  CHECK(asked.error == "");
  CHECK(asked.surplus == "early");
  asked = ask("HTTP/1.0 204 No\r\n\r\n", "Aladdin:open sesame");
  CHECK(asked.request ==
        "CONNECT farm.example:443 HTTP/1.1\r\nHost: farm.example:443\r\n"
        "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
  CHECK(asked.error == "");
}

TEST_CASE("a proxy's refusal is told in its own words, without the password") {
  CHECK(ask("HTTP/1.1 403 Forbidden by policy\r\n\r\n").error ==
        "proxy proxy.example:3128 gives no connection to farm.example:443: 403 Forbidden by policy");
  CHECK(
      ask("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").error ==
      "proxy proxy.example:3128 gives no connection to farm.example:443: 407 Proxy Authentication Required (it wants a "
      "user and a password)");
  CHECK(ask("HTTP/1.1 407 Nope\r\n\r\n", "joe:secret").error ==
        "proxy proxy.example:3128 gives no connection to farm.example:443: 407 Nope (it does not take the user or the "
        "password)");
  CHECK(ask("SSH-2.0-x\r\n\r\n").error.starts_with("proxy proxy.example:3128 did not answer in HTTP: "));
  CHECK(ask("HTTP/1.1 200 OK\r\n" + std::string(100'000, 'a')).error.starts_with("proxy proxy.example:3128 did not"));
  CHECK(ask("HTTP/1.1 200").error == "ask proxy proxy.example:3128 for farm.example:443: Connection reset by peer");
}

TEST_CASE("a proxy that does not answer is given up") {
  io::VirtualClock clock;
  io::EventLoop loop;
  auto pair = io::make_memory_pair(loop.executor());
  Asked asked;
  testing::Background asking(loop, ask(std::move(pair.first), {.address = {"p", "1"}}, clock, asked));
  clock.advance(10s, [&] { loop.poll(); });
  CHECK(asking.done());
  CHECK(asked.error == "ask proxy p:1 for farm.example:443: Connection timed out");
}
