#include <build/buildlet/multipart.h>

#include <doctest/doctest.h>

#include <string>

#include "build/buildlet/worker_fixture.h"

using namespace build::buildlet;

namespace {

constexpr const char* kType = "multipart/form-data; boundary=XX";

std::string part(const std::string& disposition, const std::string& content) {
  return "--XX\r\nContent-Disposition: " + disposition + "\r\n\r\n" + content + "\r\n";
}

int status_of(const std::string& type, const std::string& body) {
  try {
    parse_multipart_form(type, body);
  } catch (const io::HttpError& error) {
    return error.status();
  }
  return 200;
}

}  // namespace

TEST_CASE("fields come out in order, files are passed over") {
  const std::string body = "preamble\r\n" + part("form-data; name=\"cmd\"", "/bin/sh") +
                           part("form-data; name=cmdArg", "-c") + part("form-data; name=\"cmdArg\"", "a\r\n\r\n--XY") +
                           part("form-data; name=\"f\"; filename=\"x;y\\\".txt\"", "file") +
                           part("form-data; name=\"q\\\"\"", "") + "--XX--\r\n";
  const io::Params form = parse_multipart_form(kType, body);
  CHECK(form.size() == 4);
  CHECK(form.get("cmd") == "/bin/sh");
  CHECK(form.all("cmdArg") == std::vector<std::string>{"-c", "a\r\n\r\n--XY"});
  CHECK(form.has("q\""));
  CHECK(parse_multipart_form("Multipart/Form-Data; charset=utf-8; boundary=\"XX\"", body).size() == 4);
}

TEST_CASE("other types are no forms") {
  CHECK(is_multipart_form(kType));
  CHECK(!is_multipart_form("multipart/form-database"));
  CHECK(!is_multipart_form("application/x-www-form-urlencoded"));
  CHECK(!is_multipart_form(""));
}

TEST_CASE("malformed forms are refused") {
  const std::string good = part("form-data; name=a", "x");
  CHECK(status_of(kType, good + "--XX--") == 200);
  CHECK(status_of(kType, "--XX--") == 200);
  CHECK(status_of("multipart/form-data", good + "--XX--") == 400);
  CHECK(status_of("multipart/form-data; boundary=" + std::string(71, 'b'), good) == 400);
  CHECK(status_of("multipart/form-data; boundary=\"XX", good) == 400);
  for (const std::string& body :
       {std::string(), std::string("x"), good, good + "--XX", std::string("--XX\r\n\r\n"), std::string("--XXtext\r\n"),
        part("attachment; name=a", "x") + "--XX--", part("form-data", "x") + "--XX--",
        part("form-data; name=\"a", "x") + "--XX--", part("form-data; name=\"a\"b", "x") + "--XX--",
        std::string("--XX\r\nno head\r\n--XX--"), std::string("--XX\r\n\r\nx\r\n--XX--")}) {
    CAPTURE(body);
    CHECK(status_of(kType, body) == 400);
  }
  std::string many;
  for (int i = 0; i < 10'001; ++i) many += good;
  CHECK(status_of(kType, many + "--XX--") == 400);
}

TEST_CASE("a command may come as such a form") {
  testing::WorkerFixture worker;
  io::RequestHead head;
  head.method = "POST";
  head.target = "/exec";
  head.fields.add("Host", "w");
  head.fields.add("Content-Type", kType);
  const std::string body = part("form-data; name=mode", "sys") + part("form-data; name=cmd", "/bin/echo") +
                           part("form-data; name=cmdArg", "hello") + "--XX--\r\n";
  build::net::ClientConnection connection(worker.connect(), worker.clock);
  const auto answer = testing::value_of(worker.loop, connection.request(head, body));
  CHECK(answer.body == "hello\n");
  CHECK(answer.trailers.get("Process-State") == "ok");
}
