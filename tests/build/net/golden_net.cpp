// The answers of the original, given again by natural calls of handlers: for each recorded exchange the request's
// bytes go through our server, whose handler gives what the recorded answer contains, and the bytes that come out
// must be the recorded ones but for the date.
#include "support/support.h"
#include "world.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

using namespace build::net;
using testing::ServerWorld;

namespace {

struct Recorded {
  io::ResponseHead head;
  std::vector<std::string> pieces;  // of the body: chunks, or all of it
  io::Fields trailers;
  bool complete = true;
};

// Takes the first answer off `bytes`; the recordings have whole answers but where the client went away.
Recorded take_answer(std::string& bytes, std::string_view method) {
  Recorded recorded;
  io::HeadScanner scanner;
  const std::size_t size = scanner.scan(bytes).value();
  recorded.head = io::parse_response_head(std::string_view(bytes).substr(0, size));
  bytes.erase(0, size);
  const io::BodyFraming framing = io::framing_of(recorded.head, method);
  if (framing.kind == io::BodyFraming::Kind::length) {
    recorded.pieces.push_back(bytes.substr(0, framing.length));
    bytes.erase(0, framing.length);
  } else if (framing.kind == io::BodyFraming::Kind::until_close) {
    recorded.pieces.push_back(std::exchange(bytes, {}));
  } else if (framing.kind == io::BodyFraming::Kind::chunked) {
    io::ChunkDecoder decoder;
    while (!bytes.empty() && !decoder.done()) {
      const auto step = decoder.feed(bytes);
      if (!step.data.empty()) recorded.pieces.emplace_back(step.data);
      bytes.erase(0, step.consumed);
    }
    recorded.complete = decoder.done();
    recorded.trailers = decoder.trailers();
  }
  return recorded;
}

io::Task<> give(const Recorded& recorded, Request& request, Response& response) {
  const std::string form = co_await request.body().read_all(1024 * 1024);
  const io::Fields& fields = recorded.head.fields;
  const std::string body = recorded.pieces.empty() ? std::string() : recorded.pieces.front();
  if (fields.has("Trailer")) response.fields().set("Trailer", fields.get("Trailer"));
  if (fields.has("X-Content-Type-Options")) {
    // To HEAD the body is not in the recording; its length is.
    const std::string text =
        request.method() == "HEAD" ? std::string(std::stoul(fields.get("Content-Length")), 'x') : body;
    throw HttpError(recorded.head.status, text.substr(0, text.size() - 1));
  }
  if (fields.has("Transfer-Encoding")) {
    co_await response.start(recorded.head.status);
    for (const std::string& piece : recorded.pieces) co_await response.write(piece);
    if (!recorded.complete) throw AbortExchange();
    co_await response.finish(recorded.trailers);
    co_return;
  }
  // A type before the date was the handler's own, one behind it guessed.
  const auto type = std::find_if(fields.begin(), fields.end(), [](const auto& f) { return f.name == "Content-Type"; });
  const auto date = std::find_if(fields.begin(), fields.end(), [](const auto& f) { return f.name == "Date"; });
  if (type < date) response.fields().set("Content-Type", type->value);
  if (!body.empty() || type != fields.end()) co_await response.send(recorded.head.status, body);
}

std::string without_date(std::string text) {
  for (std::size_t at = 0; (at = text.find("\r\nDate: ", at)) != std::string::npos;)
    text.erase(at, text.find("\r\n", at + 2) - at);
  return text;
}

bool replay(const std::filesystem::path& request_file) {
  const std::string request = testing::read_file(request_file);
  const std::string expected = testing::read_file(std::filesystem::path(request_file).replace_extension(".response"));
  std::string rest = expected;
  const std::string method = request.substr(0, request.find(' '));
  std::vector<Recorded> answers;
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  if (rest.starts_with(interim)) rest.erase(0, interim.size());
  while (!rest.empty()) answers.push_back(take_answer(rest, method));
  struct Next {
    static io::Task<> run(const std::vector<Recorded>& answers, std::size_t index, Request& request,
                          Response& response) {
      if (index >= answers.size()) throw AbortExchange();
      co_await give(answers[index], request, response);
    }
  };
  std::size_t index = 0;
  ServerWorld world([&](Request& asked, Response& response) { return Next::run(answers, index++, asked, response); });
  const std::string got = world.ask(request);
  CHECK(without_date(got) == without_date(expected));
  return without_date(got) == without_date(expected);
}

}  // namespace

TEST_CASE("the server writes each recorded answer of the original byte for byte") {
  const auto folder = testing::golden("buildlet-http", "golden_net");
  if (!folder) return;
  int replayed = 0, different = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    if (entry.path().extension() != ".request") continue;
    CAPTURE(entry.path().filename().string());
    ++replayed;
    if (!replay(entry.path())) ++different;
  }
  std::cout << "replayed " << replayed << ", differences " << different << "\n";
  CHECK(replayed >= 122);
}
