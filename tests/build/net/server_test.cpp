#include "world.h"

#include <io/event.h>

using namespace build::net;
using testing::RawPeer;
using testing::ServerWorld;
using namespace std::chrono_literals;

namespace {

const std::string kHost = "Host: h\r\n";

// Handlers are free functions: a coroutine lambda with captures would not outlive them.
io::Task<> say_hello(Request&, Response& response) { co_await response.send(200, "hello"); }

io::Task<> echo(Request& request, Response& response) {
  const std::string body = co_await request.body().read_all(1024 * 1024);
  co_await response.send(200, "application/octet-stream", body);
}

io::Task<> stream_two(Request&, Response& response) {
  co_await response.start(200, io::Fields(), std::vector<std::string>(1, "Process-State"));
  co_await response.write("one");
  co_await response.write("");
  co_await response.write("two");
  io::Fields trailers;
  trailers.add("Process-State", "ok");
  co_await response.finish(trailers);
}

io::Task<> show_target(Request& request, Response& response) {
  std::string text = request.method() + " " + request.path() + " [" + request.raw_query() + "]";
  for (const auto& [name, value] : request.query()) text += " " + name + "=" + value;
  text += " id=" + request.path_param("id") + " rest=" + request.path_param("rest");
  co_await response.send(200, std::move(text));
}

std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
std::string status_of(const std::string& answer) { return answer.substr(9, 3); }

}  // namespace

TEST_CASE("a complete answer looks as the original's") {
  ServerWorld world(say_hello);
  CHECK(world.ask("GET / HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\n" + world.date() +
            "Content-Length: 5\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nhello");
  CHECK(world.ask("GET / HTTP/1.0\r\n\r\n") == "HTTP/1.0 200 OK\r\n" + world.date() +
                                                   "Content-Length: 5\r\nContent-Type: text/plain; "
                                                   "charset=utf-8\r\n\r\nhello");
  CHECK(world.ask("HEAD / HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\n" + world.date() +
            "Content-Length: 5\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a streamed answer is chunked, with its trailers apart, and without either for HTTP/1.0") {
  ServerWorld world(stream_two);
  CHECK(world.ask("GET / HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nTrailer: Process-State\r\n" + world.date() +
            "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nProcess-State: "
            "ok\r\n\r\n");
  CHECK(world.ask("GET / HTTP/1.0\r\n\r\n") == "HTTP/1.0 200 OK\r\n" + world.date() + "\r\nonetwo");
  CHECK(world.ask("HEAD / HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nTrailer: Process-State\r\n" + world.date() + "Connection: close\r\n\r\n");
}

TEST_CASE("a connection is kept, also for requests that were sent ahead") {
  ServerWorld world(say_hello);
  auto peer = world.connect();
  peer->send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  const std::string one = "HTTP/1.1 200 OK\r\n" + world.date() +
                          "Content-Length: 5\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello";
  CHECK(peer->take() == one);
  std::string three;
  for (int i = 0; i < 3; ++i) three += "GET / HTTP/1.1\r\n" + kHost + "\r\n";
  peer->send(three);
  CHECK(peer->take() == one + one + one);
  CHECK_FALSE(peer->ended());
  peer->send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  CHECK(peer->received().starts_with("HTTP/1.0 200 OK"));
  CHECK(peer->received().find("HTTP/1.1") == std::string::npos);
  CHECK(peer->ended());
}

TEST_CASE("bodies are read by length and in chunks, with trailers kept apart") {
  struct Seen {
    std::string body, trailer, field;
  } seen;
  // The referenced object outlives the server; the lambda itself is no coroutine.
  struct Take {
    static io::Task<> run(Seen& seen, Request& request, Response& response) {
      seen.body = co_await request.body().read_all(100);
      seen.trailer = request.body().trailers().get("Content-Length");
      seen.field = request.fields().get("X-Late");
      co_await response.send(200);
    }
  };
  ServerWorld world([&](Request& request, Response& response) { return Take::run(seen, request, response); });
  world.ask("PUT / HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\nabcde");
  CHECK(seen.body == "abcde");
  world.ask("PUT / HTTP/1.1\r\n" + kHost +
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nContent-Length: 99\r\nX-Late: y\r\n\r\n");
  CHECK(seen.body == "abcde");
  CHECK(seen.trailer == "99");
  CHECK(seen.field.empty());
  CHECK(status_of(world.ask("PUT / HTTP/1.1\r\n" + kHost + "Content-Length: 101\r\n\r\n")) == "413");
  CHECK(status_of(world.ask("PUT / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n65\r\n" +
                            std::string(101, 'x') + "\r\n0\r\n\r\n")) == "413");
}

TEST_CASE("a client that expects 100 Continue gets it when the body is wanted, and only then") {
  ServerWorld world(echo);
  auto peer = world.connect();
  peer->send("PUT / HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  CHECK(peer->take() == "HTTP/1.1 100 Continue\r\n\r\n");
  peer->send("abc");
  CHECK(body_of(peer->take()) == "abc");
  CHECK_FALSE(peer->ended());

  ServerWorld uninterested(say_hello);
  auto other = uninterested.connect();
  other->send("PUT / HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  CHECK(other->received().starts_with("HTTP/1.1 200 OK"));
  CHECK(other->received().find("Connection: close") != std::string::npos);
  CHECK(other->ended());
  CHECK(status_of(world.ask("PUT / HTTP/1.1\r\n" + kHost + "Expect: tea\r\nContent-Length: 3\r\n\r\n")) == "417");
}

TEST_CASE("no 100 Continue is mixed into an answer that has begun") {
  struct Late {
    static io::Task<> run(Request& request, Response& response) {
      co_await response.start(200);
      co_await response.write(co_await request.body().read_all(100));
    }
  };
  ServerWorld world(Late::run);
  auto peer = world.connect();
  peer->send("PUT / HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  peer->send("abc");
  CHECK(peer->received().find("100 Continue") == std::string::npos);
  CHECK(body_of(peer->received()) == "3\r\nabc\r\n0\r\n\r\n");
  CHECK(peer->ended());
}

TEST_CASE("what a handler leaves of a body is skipped up to a limit") {
  ServerWorld world(say_hello, {.drain_limit = 1000});
  auto peer = world.connect();
  peer->send("PUT / HTTP/1.1\r\n" + kHost + "Content-Length: 1000\r\n\r\n" + std::string(1000, 'x') +
             "GET / HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(peer->take().find("hello") != std::string::npos);
  CHECK_FALSE(peer->ended());

  peer->send("PUT / HTTP/1.1\r\n" + kHost + "Content-Length: 1001\r\n\r\n");
  CHECK(peer->received().find("Connection: close") != std::string::npos);
  CHECK(peer->ended());
  // Nothing of the body was taken for a request.
  peer->take();
  peer->send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(peer->received().empty());

  auto chunky = world.connect();
  chunky->send("PUT / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'x') +
               "\r\n0\r\n\r\nGET / HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(chunky->ended());
  CHECK(chunky->received().find("HTTP", 1) == std::string::npos);
}

TEST_CASE("a handler's exception becomes an answer that tells the client no more than it may know") {
  struct Throw {
    static io::Task<> run(Request& request, Response& response) {
      if (request.path() == "/http") throw HttpError(403, "invalid password");
      if (request.path() == "/abort") throw AbortExchange();
      if (request.path() == "/late") {
        co_await response.start(200);
        co_await response.write("x");
      }
      response.fields().set("X-Half", "done");
      throw std::runtime_error("the secret is 42");
    }
  };
  ServerWorld world(Throw::run);
  const std::string tail = " HTTP/1.1\r\n" + kHost + "\r\n";
  CHECK(world.ask("GET /http" + tail) ==
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
            world.date() + "Content-Length: 17\r\n\r\ninvalid password\n");
  CHECK(world.log.empty());
  CHECK(world.ask("GET /abort" + tail).empty());
  const std::string failed = world.ask("GET /other" + tail);
  CHECK(failed.starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
  CHECK(failed.find("secret") == std::string::npos);
  CHECK(failed.find("X-Half") == std::string::npos);
  REQUIRE(world.log.size() == 1);
  CHECK(world.log[0].find("GET /other") == 0);
  CHECK(world.log[0].find("the secret is 42") != std::string::npos);
  auto peer = world.connect();
  peer->send("GET /late" + tail);
  CHECK(peer->ended());
  CHECK(peer->received().ends_with("1\r\nx\r\n"));
}

TEST_CASE("a handler that says nothing answers 200 without a body") {
  struct Quiet {
    static io::Task<> run(Request& request, Response& response) {
      if (request.path() == "/start") co_await response.start(204);
    }
  };
  ServerWorld world(Quiet::run);
  CHECK(world.ask("GET / HTTP/1.1\r\n" + kHost + "\r\n") ==
        "HTTP/1.1 200 OK\r\n" + world.date() + "Content-Length: 0\r\n\r\n");
  CHECK(world.ask("GET /start HTTP/1.1\r\n" + kHost + "\r\n") == "HTTP/1.1 204 No Content\r\n" + world.date() + "\r\n");
}

TEST_CASE("an answer with a Content-Length of its own is held to it") {
  struct Sized {
    static io::Task<> run(Request& request, Response& response) {
      response.fields().set("Content-Length", "4");
      co_await response.start(200);
      co_await response.write("ab");
      if (request.path() == "/right") co_await response.write("cd");
    }
  };
  ServerWorld world(Sized::run);
  auto peer = world.connect();
  peer->send("GET /right HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(peer->take() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + world.date() + "\r\nabcd");
  CHECK_FALSE(peer->ended());
  peer->send("GET /short HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(peer->ended());
  CHECK(world.log.size() == 1);
}

TEST_CASE("fields that would break the head are not sent") {
  struct Split {
    static io::Task<> run(Request& request, Response& response) {
      response.fields().set("Location", "/" + request.query().get("to"));
      co_await response.send(302);
    }
  };
  ServerWorld world(Split::run);
  const std::string answer = world.ask("GET /?to=x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(status_of(answer) == "500");
  CHECK(answer.find("Set-Cookie") == std::string::npos);
}

TEST_CASE("a connection can be taken out of the server after a 101, with what came early") {
  struct Switch {
    static io::Task<> run(io::StreamPtr& taken, Request&, Response& response) {
      taken = co_await response.hijack("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    }
  };
  io::StreamPtr taken;
  ServerWorld world([&](Request& request, Response& response) { return Switch::run(taken, request, response); });
  auto peer = world.connect();
  peer->send("GET /reverse HTTP/1.1\r\nHost: \r\n\r\nearly");
  CHECK(peer->received() == "HTTP/1.1 101 Switching Protocols\r\n\r\n");
  CHECK(world.server.connections() == 0);
  REQUIRE(taken);
  RawPeer other(world, std::move(taken));
  world.settle();
  CHECK(other.received() == "early");
  peer->send(", late");
  CHECK(other.received() == "early, late");
  world.run(world.server.stop());
  other.send("still there");
  CHECK(peer->received().ends_with("\r\n\r\nstill there"));
}

TEST_CASE("a handler that streams for long learns that its client has gone") {
  struct Waits {
    static io::Task<> run(io::Event& event, int& told, Request& request, Response& response) {
      const std::string form = co_await request.body().read_all(100);
      bool gone = false;
      response.on_client_gone([&] {
        gone = true;
        ++told;
        event.notify_all();
      });
      co_await response.start(200);
      co_await response.write("x");
      while (!gone && request.path() == "/wait") co_await event.wait();
    }
  };
  int told = 0;
  ServerWorld world(
      [&](Request& request, Response& response) { return Waits::run(world.event, told, request, response); });
  const std::string wait = "POST /wait HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\n\r\na";
  const std::string quick = "POST /quick HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\n\r\na";

  SUBCASE("when it closes the connection") {
    auto peer = world.connect();
    peer->send(wait);
    CHECK(told == 0);
    peer->close();
    CHECK(told == 1);
    CHECK(world.server.connections() == 0);
  }
  SUBCASE("when the server is stopped") {
    auto peer = world.connect();
    peer->send(wait);
    world.run(world.server.stop());
    CHECK(told == 1);
    CHECK(peer->ended());
  }
  SUBCASE("and requests sent ahead are answered in their turn") {
    auto peer = world.connect();
    peer->send(quick + quick + quick);
    CHECK(told == 0);
    std::size_t answers = 0;
    for (std::size_t at = 0; (at = peer->received().find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answers;
    CHECK(answers == 3);
    peer->take();
    peer->send(quick);
    CHECK(peer->received().starts_with("HTTP/1.1 200"));
    CHECK_FALSE(peer->ended());
  }
  SUBCASE("also if it sent something ahead") {
    auto peer = world.connect();
    peer->send(wait + quick.substr(0, 10));
    CHECK(told == 0);
    peer->close();
    CHECK(told == 1);
  }
}

TEST_CASE("what a client sends ahead of a long answer is kept up to a bound") {
  struct Waits {
    static io::Task<> run(io::Event& event, Request&, Response& response) {
      response.on_client_gone([&] { event.notify_all(); });
      co_await response.start(200);
      co_await event.wait();
    }
  };
  ServerWorld world([&](Request& request, Response& response) { return Waits::run(world.event, request, response); },
                    {.read_ahead = 8 * 1024});
  io::StreamPair pair = io::make_memory_pair(world.loop.executor(), 1024);
  world.start(world.server.serve(std::move(pair.first)));
  RawPeer peer(world, std::move(pair.second));
  peer.send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  std::size_t sent = 0;
  const auto flood = world.start(peer.flood(sent));
  world.settle();
  CHECK(sent >= 8 * 1024);
  CHECK(sent <= 8 * 1024 + 2048 + 2 * 1024);
  CHECK_FALSE(flood->done);
}

TEST_CASE("requests find their handlers by method and path") {
  Router router;
  router.add("GET", "/", show_target);
  router.add("GET", "/build/{id}", show_target);
  router.add("GET", "/build/new", say_hello);
  router.add("POST", "/build/{id}", echo);
  router.add("", "/any/{rest...}", show_target);
  CHECK_THROWS_AS(router.add("GET", "/build/{other}", echo), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "build", echo), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "/a{b}", echo), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "/{a...}/b", echo), std::invalid_argument);
  ServerWorld world(router);
  struct Case {
    std::string request;
    const char* status;
    const char* body;
  };
  const Case cases[] = {
      {"GET /", "200", "GET / [] id= rest="},
      {"GET /?", "200", "GET / [] id= rest="},
      {"GET /?a=1&b=%20", "200", "GET / [a=1&b=%20] a=1 b=  id= rest="},
      {"GET http://h", "200", "GET / [] id= rest="},
      {"GET HTTPS://h:1/build/7?x", "200", "GET /build/7 [x] x= id=7 rest="},
      {"GET /build/7", "200", "GET /build/7 [] id=7 rest="},
      {"GET /build/a%2Fb", "200", "GET /build/a/b [] id=a/b rest="},
      {"GET /build/new", "200", "hello"},
      {"HEAD /build/new", "200", ""},
      {"POST /build/new", "200", ""},
      {"GET /build/", "404", "404 page not found\n"},
      {"GET /build/7/", "404", "404 page not found\n"},
      {"GET //", "404", "404 page not found\n"},
      {"GET /build/..", "200", "GET /build/.. [] id=.. rest="},
      {"PUT /build/7", "405", "Method Not Allowed\n"},
      {"BREW /any", "200", "BREW /any [] id= rest="},
      {"BREW /any/", "200", "BREW /any/ [] id= rest="},
      {"BREW /any/a/b%20c/", "200", "BREW /any/a/b c/ [] id= rest=a/b c/"},
      {"OPTIONS *", "404", "404 page not found\n"},
      {"GET /%zz", "400", "400 Bad Request"},
      {"GET /%00", "400", "400 Bad Request"},
      {"GET x", "400", "400 Bad Request"},
      {"CONNECT h:443", "400", "400 Bad Request"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.request);
    const std::string answer = world.ask(each.request + " HTTP/1.1\r\n" + kHost + "\r\n");
    CHECK(status_of(answer) == each.status);
    CHECK(body_of(answer) == each.body);
    if (std::string_view(each.status) == "405") CHECK(answer.find("Allow: GET, HEAD, POST\r\n") != std::string::npos);
  }
}

TEST_CASE("forms are read from urlencoded bodies only") {
  struct Form {
    static io::Task<> run(Request& request, Response& response) {
      const io::Params form = co_await request.read_form(50);
      co_await response.send(200, form.get("cmd") + "," + std::to_string(form.size()));
    }
  };
  ServerWorld world(Form::run);
  const std::string body = "cmd=a+b&cmdArg=c";
  const auto ask = [&](const std::string& type, const std::string& text) {
    return world.ask("POST / HTTP/1.1\r\n" + kHost + "Content-Type: " + type +
                     "\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
  };
  CHECK(body_of(ask("application/x-www-form-urlencoded", body)) == "a b,2");
  CHECK(body_of(ask("Application/X-www-form-urlencoded; charset=utf-8", body)) == "a b,2");
  CHECK(body_of(ask("text/plain", body)) == ",0");
  CHECK(status_of(ask("application/x-www-form-urlencoded", std::string(51, 'a'))) == "413");
}
