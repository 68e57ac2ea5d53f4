#include <doctest/doctest.h>

#include "farmhouse.h"

namespace build::web {

using model::AttemptOutcome;

namespace {

io::RequestHead get(const std::string& target) {
  io::RequestHead head;
  head.target = target;
  head.fields.add("Host", "farm");
  return head;
}

io::Task<std::string> next_piece(net::ClientConnection& connection) {
  std::string room(1000, '\0');
  const boost::asio::mutable_buffer into(room.data(), room.size());
  const std::size_t count = co_await connection.body().read_some(into);
  room.resize(count);
  co_return room;
}

io::Task<> follow_while_written(Farmhouse& house, net::ClientConnection& connection) {
  const auto writer = co_await house.logs.open_writer(model::RunId{"live"});
  co_await writer->append(0, "zero one ");
  io::RequestHead head = get("/api/v1/runs/live/log?offset=5&follow=1");
  co_await connection.send_head(std::move(head));
  const io::ResponseHead answer = co_await connection.read_head();
  CHECK(answer.status == 200);
  CHECK(answer.fields.get("X-Log-Offset") == "5");
  CHECK(answer.fields.get("Content-Type") == "text/plain; charset=utf-8");
  const std::string first = co_await next_piece(connection);
  CHECK(first == "one ");
  co_await writer->append(9, "two ");
  const std::string second = co_await next_piece(connection);
  CHECK(second == "two ");
  co_await writer->append(13, "three");
  const std::string third = co_await next_piece(connection);
  CHECK(third == "three");
  co_await writer->finish();
  const std::string end = co_await next_piece(connection);
  CHECK(end.empty());
  CHECK(connection.reusable());
}

io::Task<> begin_following(Farmhouse& house, net::ClientConnection& connection,
                           std::unique_ptr<livelog::Writer>& writer) {
  writer = co_await house.logs.open_writer(model::RunId{"live"});
  co_await writer->append(0, "first");
  io::RequestHead head = get("/api/v1/runs/live/log?follow=1");
  co_await connection.send_head(std::move(head));
  co_await connection.read_head();
  const std::string first = co_await next_piece(connection);
  CHECK(first == "first");
}

}  // namespace

TEST_CASE("a run's log is given from an offset on") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "compile", "0123456789", AttemptOutcome::ok, "ok");
  const std::string path = "/api/v1/runs/run-1-1-0/log";
  const net::SimpleResponse whole = house.ask(path);
  CHECK(whole.body == "0123456789");
  CHECK(whole.head.fields.get("Content-Length") == "10");
  CHECK(whole.head.fields.get("X-Log-Offset") == "0");
  const net::SimpleResponse part = house.ask(path + "?offset=7");
  CHECK(part.body == "789");
  CHECK(part.head.fields.get("X-Log-Offset") == "7");
  CHECK(house.ask(path + "?offset=10").body.empty());
  CHECK(house.ask(path + "?offset=3&follow=1").body == "3456789");
  CHECK(house.ask(path + "?follow=0").body == "0123456789");
  CHECK(house.ask(path, {}, "HEAD").body.empty());
  CHECK(house.ask(path + "?offset=11").head.status == 416);
  CHECK(house.ask(path + "?offset=11&follow=1").head.status == 416);
  for (const char* bad : {"?offset=-1", "?offset=x", "?offset=", "?offset=1e3", "?offset=99999999999999999999",
                          "?offset=+1", "?follow=2", "?follow=yes"}) {
    CAPTURE(bad);
    CHECK(house.ask(path + bad).head.status == 400);
  }
}

TEST_CASE("a log larger than any buffer comes whole") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  std::string output;
  while (output.size() < 3'000'000) output += std::to_string(output.size()) + "\n";
  house.step(1, "compile", output, AttemptOutcome::ok, "ok");
  CHECK(house.ask("/api/v1/runs/run-1-1-0/log").body == output);
  CHECK(house.ask("/api/v1/runs/run-1-1-0/log?follow=1").body == output);
}

TEST_CASE("all of a build's output comes as one text") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "configure", "checking\n", AttemptOutcome::ok, "ok");
  house.step(1, "compile", "compiling\n", AttemptOutcome::failed, "exit status 2");
  house.end(1, AttemptOutcome::failed, "step compile: exit status 2");
  CHECK(house.ask("/api/v1/builds/1/log").body ==
        "\n### attempt 1, step configure: ok\nchecking\n\n### attempt 1, step compile: exit status 2\ncompiling\n");
}

TEST_CASE("a follower gets bytes as they are written, and the end when the log ends") {
  Farmhouse house;
  const auto connection = house.dial();
  house.loop.run_until_done(follow_while_written(house, *connection));
}

TEST_CASE("a follower that goes away leaves nothing behind") {
  Farmhouse house;
  const auto connection = house.dial();
  std::unique_ptr<livelog::Writer> writer;
  house.loop.run_until_done(begin_following(house, *connection, writer));
  house.settle();
  CHECK(house.server->connections() == 1);
  connection->close();
  house.settle();
  CHECK(house.server->connections() == 0);
}

TEST_CASE("a server that stops does not wait for followers") {
  Farmhouse house;
  const auto connection = house.dial();
  std::unique_ptr<livelog::Writer> writer;
  house.loop.run_until_done(begin_following(house, *connection, writer));
  house.loop.run_until_done(house.server->stop());
  CHECK(house.server->connections() == 0);
}

}  // namespace build::web
