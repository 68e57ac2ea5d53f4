#include "world.h"

using namespace build::net;
using testing::RawPeer;
using testing::World;
using namespace std::chrono_literals;

namespace {

/// A client whose server is a bare peer.
struct ClientWorld : World {
  explicit ClientWorld(ClientLimits limits = {}, std::size_t capacity = 64 * 1024,
                       RawPeer::Reads reads = RawPeer::Reads::yes) {
    io::StreamPair pair = io::make_memory_pair(loop.executor(), capacity);
    client = std::make_unique<ClientConnection>(std::move(pair.first), clock, limits);
    peer = std::make_unique<RawPeer>(*this, std::move(pair.second), reads);
  }
  ~ClientWorld() {
    client.reset();
    peer.reset();
    settle();
  }
  std::unique_ptr<ClientConnection> client;
  std::unique_ptr<RawPeer> peer;
};

io::Task<> ask(ClientConnection& client, io::RequestHead head, std::string body, SimpleResponse& answer,
               std::size_t max_body = 1000) {
  answer = co_await client.request(std::move(head), std::move(body), max_body);
}

io::RequestHead get(std::string target = "/") {
  io::RequestHead head;
  head.target = std::move(target);
  head.fields.add("Host", "h");
  return head;
}

io::RequestHead chunked_put() {
  io::RequestHead head;
  head.method = "PUT";
  head.fields.add("Host", "h");
  head.fields.add("Transfer-Encoding", "chunked");
  return head;
}

}  // namespace

TEST_CASE("requests follow each other on one connection") {
  ClientWorld world;
  SimpleResponse answer;
  auto asked = world.start(ask(*world.client, io::RequestHead(), "", answer));
  world.settle();
  CHECK(world.peer->take() == "GET / HTTP/1.1\r\nHost: \r\n\r\n");
  world.peer->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  CHECK(asked->done);
  CHECK(answer.body == "ok");
  CHECK(world.client->reusable());

  io::RequestHead post = get("/exec");
  post.method = "POST";
  asked = world.start(ask(*world.client, post, "a=b", answer));
  world.settle();
  CHECK(world.peer->take() == "POST /exec HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na=b");
  world.peer->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nProcess-State: ok\r\n\r\n");
  CHECK(asked->done);
  CHECK(asked->error == "");
  CHECK(answer.body == "abc");
  CHECK(answer.trailers.get("Process-State") == "ok");
  CHECK_FALSE(answer.head.fields.has("Process-State"));
  CHECK(world.client->reusable());

  asked = world.start(ask(*world.client, get(), "", answer));
  world.settle();
  world.peer->send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  CHECK(asked->done);
  CHECK_FALSE(world.client->reusable());
  asked = world.start(ask(*world.client, get(), "", answer));
  world.settle();
  CHECK(asked->error.find("before the last exchange was over") != std::string::npos);
}

TEST_CASE("an answer without a length ends with the connection") {
  ClientWorld world;
  SimpleResponse answer;
  const auto asked = world.start(ask(*world.client, get(), "", answer));
  world.settle();
  world.peer->send("HTTP/1.0 200 OK\r\n\r\nall of ");
  CHECK_FALSE(asked->done);
  world.peer->send("it");
  world.peer->shutdown();
  CHECK(asked->done);
  CHECK(answer.body == "all of it");
  CHECK_FALSE(world.client->reusable());
}

TEST_CASE("an answer to HEAD has no body, whatever its length says") {
  ClientWorld world;
  SimpleResponse answer;
  io::RequestHead head = get();
  head.method = "HEAD";
  const auto asked = world.start(ask(*world.client, head, "", answer));
  world.settle();
  world.peer->send("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n");
  CHECK(asked->done);
  CHECK(asked->error == "");
  CHECK(world.client->reusable());
}

TEST_CASE("informational answers are skipped, a switch of protocols is not") {
  struct Switch {
    static io::Task<> run(ClientConnection& client, io::StreamPtr& stream, int& major) {
      co_await client.send_head(get("/revdial"));
      const io::ResponseHead head = co_await client.read_head(5s);
      CHECK(head.status == 101);
      major = head.major;
      CHECK_FALSE(client.reusable());
      stream = client.release();
    }
  };
  ClientWorld world;
  io::StreamPtr stream;
  int major = 1;
  const auto switched = world.start(Switch::run(*world.client, stream, major));
  world.settle();
  world.peer->send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
  CHECK_FALSE(switched->done);
  world.peer->send("HTTP/0.0 101 Switching Protocols\r\n\r\n{\"command\":");
  CHECK(switched->error == "");
  REQUIRE(switched->done);
  CHECK(major == 0);
  CHECK_FALSE(world.client->reusable());
  RawPeer other(world, std::move(stream));
  world.peer->send("\"keep-alive\"}\n");
  CHECK(other.received() == "{\"command\":\"keep-alive\"}\n");
}

TEST_CASE("informational answers do not go on for ever") {
  ClientWorld world;
  SimpleResponse answer;
  const auto asked = world.start(ask(*world.client, get(), "", answer));
  world.settle();
  std::string many;
  for (int i = 0; i < 101; ++i) many += "HTTP/1.1 100 Continue\r\n\r\n";
  world.peer->send(many);
  CHECK(asked->done);
  CHECK(asked->error != "");
}

TEST_CASE("a body is streamed in chunks, with trailers") {
  struct Upload {
    static io::Task<> run(ClientConnection& client) {
      co_await client.send_head(chunked_put());
      CHECK(co_await client.send_body("hello"));
      CHECK(co_await client.send_body(""));
      CHECK(co_await client.send_body("world"));
      io::Fields trailers;
      trailers.add("X-Sum", "1");
      CHECK(co_await client.finish_body(trailers));
      const io::ResponseHead head = co_await client.read_head();
      CHECK(head.status == 200);
      CHECK(client.reusable());
    }
  };
  ClientWorld world;
  const auto uploaded = world.start(Upload::run(*world.client));
  world.settle();
  CHECK(world.peer->received() ==
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\nX-Sum: "
        "1\r\n\r\n");
  world.peer->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(uploaded->done);
  CHECK(uploaded->error == "");
}

TEST_CASE("an announced length is kept to") {
  struct Wrong {
    static io::Task<> run(ClientConnection& client, std::string text) {
      io::RequestHead head = get();
      head.method = "PUT";
      head.fields.add("Content-Length", "3");
      co_await client.send_head(head);
      co_await client.send_body(text);
      co_await client.finish_body();
    }
  };
  for (const char* text : {"ab", "abcd"}) {
    ClientWorld world;
    const auto outcome = world.start(Wrong::run(*world.client, text));
    world.settle();
    CHECK(outcome->error.find("of a request's body was") != std::string::npos);
  }
}

TEST_CASE("an answer that comes in the middle of an upload is delivered") {
  struct Upload {
    static io::Task<> run(ClientConnection& client, int& status, std::string& body) {
      co_await client.send_head(chunked_put());
      const std::string piece(1000, 'x');
      while (co_await client.send_body(piece)) {
      }
      CHECK_FALSE(co_await client.finish_body());
      const io::ResponseHead head = co_await client.read_head();
      status = head.status;
      body = co_await client.body().read_all(100);
      CHECK_FALSE(client.reusable());
    }
  };
  int status = 0;
  std::string body;
  const std::string refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n";
  SUBCASE("when the server goes on reading") {
    ClientWorld world({}, 4096, RawPeer::Reads::no);
    const auto uploaded = world.start(Upload::run(*world.client, status, body));
    world.settle();
    CHECK_FALSE(uploaded->done);
    world.peer->send(refusal);
    world.peer->read();
    CHECK(uploaded->done);
    CHECK(uploaded->error == "");
  }
  SUBCASE("when the server closes the connection at once") {
    ClientWorld world({}, 4096, RawPeer::Reads::no);
    const auto uploaded = world.start(Upload::run(*world.client, status, body));
    world.settle();
    world.peer->send(refusal);
    world.peer->close();
    CHECK(uploaded->done);
    CHECK(uploaded->error == "");
  }
  SUBCASE("when the server reads no more, after the write limit") {
    ClientWorld world({}, 4096, RawPeer::Reads::no);
    const auto uploaded = world.start(Upload::run(*world.client, status, body));
    world.settle();
    world.peer->send(refusal);
    CHECK_FALSE(uploaded->done);
    world.advance(31s);
    CHECK(uploaded->done);
    CHECK(uploaded->error == "");
  }
  CHECK(status == 403);
  CHECK(body == "no\n");
}

TEST_CASE("a server that takes nothing and says nothing is an error that says so") {
  struct Upload {
    static io::Task<> run(ClientConnection& client) {
      co_await client.send_head(chunked_put());
      const std::string piece(1000, 'x');
      while (co_await client.send_body(piece)) {
      }
      co_await client.read_head();
    }
  };
  ClientWorld world({}, 4096, RawPeer::Reads::no);
  const auto uploaded = world.start(Upload::run(*world.client));
  world.settle();
  world.advance(29s);
  CHECK_FALSE(uploaded->done);
  world.advance(2s);
  CHECK(uploaded->error == "sending a request (memory): timed out");
}

TEST_CASE("every phase of an answer has a time limit") {
  ClientWorld world;
  SimpleResponse answer;
  const auto asked = world.start(ask(*world.client, get(), "", answer));
  world.settle();
  SUBCASE("the head, in all") {
    const std::string head = "HTTP/1.1 200 OK\r\nX: " + std::string(100, 'x');
    std::size_t seconds = 0;
    for (; seconds < 90 && !asked->done; ++seconds) {
      world.peer->send(head.substr(seconds, 1));
      world.advance(1s);
    }
    CHECK(seconds == 30);
    CHECK(asked->error == "waiting for an answer (memory): timed out");
  }
  SUBCASE("each part of the body") {
    world.peer->send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 4; ++i) {
      world.advance(29s);
      CHECK_FALSE(asked->done);
      world.peer->send("x");
    }
    world.advance(31s);
    CHECK(asked->error == "reading the answer's body (memory): timed out");
  }
  CHECK(asked->done);
  CHECK_FALSE(world.client->reusable());
}

TEST_CASE("a body that is silent for long can be waited for without a limit") {
  struct Follow {
    static io::Task<> run(ClientConnection& client, std::string& body) {
      co_await client.send_head(get());
      co_await client.read_head();
      client.set_body_timeout(io::Duration::zero());
      body = co_await client.body().read_all(100);
    }
  };
  ClientWorld world;
  std::string body;
  const auto followed = world.start(Follow::run(*world.client, body));
  world.settle();
  world.peer->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  world.advance(100h);
  CHECK_FALSE(followed->done);
  world.peer->send("2\r\nok\r\n0\r\n\r\n");
  CHECK(followed->done);
  CHECK(body == "ok");
}

TEST_CASE("hostile answers are errors and end the connection") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  std::string lines = ok;
  for (int i = 0; i < 1'000'000; ++i) lines += "a: b\r\n";
  struct Case {
    std::string what;
    std::string bytes;
  };
  const Case cases[] = {
      {"nothing", ""},
      {"half a head", "HTTP/1.1 200 OK\r\nConten"},
      {"not HTTP", "SSH-2.0-OpenSSH_9\r\n\r\n"},
      {"version 2", "HTTP/2.0 200 OK\r\n\r\n"},
      {"length and chunked", ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
      {"xchunked", ok + "Transfer-Encoding: xchunked\r\n\r\nabc"},
      {"two lengths", ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
      {"negative length", ok + "Content-Length: -3\r\n\r\nabc"},
      {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"},
      {"folded field", ok + "A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc"},
      {"NUL", ok + std::string("A: \0\r\n\r\n", 8)},
      {"a million lines", lines},
      {"a head without end", ok + "A: " + std::string(200'000, 'a')},
      {"a body cut short", ok + "Content-Length: 5\r\n\r\nabc"},
      {"chunks cut short", chunked + "5\r\nabc"},
      {"chunks without an end", chunked + "3\r\nabc\r\n"},
      {"trailers cut short", chunked + "3\r\nabc\r\n0\r\nProcess-State: ok\r\n"},
      {"chunk size beyond 64 bits", chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n"},
      {"negative chunk", chunked + "-3\r\nabc\r\n0\r\n\r\n"},
      {"chunk longer than its size", chunked + "1\r\nabc\r\n0\r\n\r\n"},
      {"body over the limit", ok + "Content-Length: 1001\r\n\r\n"},
      {"endless body", chunked + "fffffff\r\n" + std::string(5000, 'x')},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    ClientWorld world;
    SimpleResponse answer;
    const auto asked = world.start(ask(*world.client, get(), "", answer));
    world.settle();
    world.peer->send(each.bytes);
    if (!asked->done) world.peer->shutdown();
    CHECK(asked->done);
    CHECK(asked->error != "");
    CHECK_FALSE(world.client->reusable());
  }
}

TEST_CASE("bytes behind an answer are not taken for the next one") {
  ClientWorld world;
  SimpleResponse answer;
  const auto asked = world.start(ask(*world.client, get(), "", answer));
  world.settle();
  world.peer->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  CHECK(asked->done);
  CHECK(answer.body == "ok");
  CHECK_FALSE(world.client->reusable());
}

TEST_CASE("heads that cannot be sent are refused before a byte is") {
  struct Send {
    static io::Task<> run(ClientConnection& client, io::RequestHead head) {
      co_await client.send_head(std::move(head));
    }
  };
  ClientWorld world;
  io::RequestHead split = get("/a b"), value = get(), both = get();
  value.fields.add("A", "b\r\nC: d");
  both.fields.add("Content-Length", "1");
  both.fields.add("Transfer-Encoding", "chunked");
  for (const io::RequestHead& head : {split, value, both}) {
    const auto sent = world.start(Send::run(*world.client, head));
    world.settle();
    CHECK(sent->error != "");
  }
  CHECK(world.peer->received().empty());
  CHECK(world.client->reusable());
}
