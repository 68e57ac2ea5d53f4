#include <maintner/log_server.h>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "byte_range.h"

namespace maintner {

namespace net = build::net;

namespace {

constexpr std::size_t kPiece = 1 << 20;
constexpr int kOk = 200, kPartial = 206, kNotModified = 304, kBadRequest = 400, kNotSatisfiable = 416;

/// As Go's strconv reads a decimal number: with a sign, or without. Nothing if it is none, or does not fit.
std::optional<std::int64_t> decimal(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_reading(const net::Request& request) { return request.method() == "GET" || request.method() == "HEAD"; }

std::string index_json(const SegmentList& list, std::uint64_t first, std::uint64_t& size) {
  std::string json = "[";
  size = 0;
  for (const Segment& segment : list.segments) {
    if (segment.number < first) continue;
    const std::string number = std::to_string(segment.number);
    json += json.size() == 1 ? "\n" : ",\n";
    json += "\t{\n\t\t\"number\": " + number + ",\n\t\t\"size\": " + std::to_string(segment.size) +
            ",\n\t\t\"sha224\": \"" + segment.sha224 + "\",\n\t\t\"url\": \"/logs/" + number + "\"";
    if (segment.frozen) json += ",\n\t\t\"frozen\": true";
    json += "\n\t}";
    size += segment.size;
  }
  if (json.size() > 1) json += "\n";
  return json + "]";
}

}  // namespace

/// Is told by the thread that commits, which may be another one.
struct LogServer::News {
  explicit News(io::Executor on) : executor(on), event(on) {}

  io::Executor executor;
  io::Event event;
};

LogServer::LogServer(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, SegmentStore& store)
    : clock_(clock), pool_(pool), store_(store), news_(std::make_shared<News>(executor)) {
  store_.on_commit([news = std::weak_ptr<News>(news_), executor] {
    io::asio::post(executor, [news] {
      if (const auto there = news.lock()) there->event.notify_all();
    });
  });
}

LogServer::~LogServer() { store_.on_commit({}); }

void LogServer::add_to(net::Router& router) {
  router.add("", "/logs",
             [this](net::Request& request, net::Response& response) { return answer_index(request, response); });
  router.add("", "/logs/{number...}",
             [this](net::Request& request, net::Response& response) { return answer_segment(request, response); });
}

io::Task<bool> LogServer::wait_until_not(std::uint64_t size, net::Response& response) {
  // Those who wait are few kilobytes each; all of them look when there are news.
  const auto news = news_;
  const io::Deadline deadline(clock_, news->executor, kLongPoll, [news] { news->event.notify_all(); });
  const auto gone = std::make_shared<bool>(false);
  response.on_client_gone([gone, news] {
    *gone = true;
    news->event.notify_all();
  });
  ++waiting_;
  struct Leave {
    ~Leave() { --waiting; }
    std::size_t& waiting;
  } const leave{waiting_};
  while (store_.segments()->size == size) {
    if (deadline.expired() || *gone) co_return false;
    co_await news->event.wait();
  }
  co_return true;
}

io::Task<> LogServer::answer_index(net::Request& request, net::Response& response) {
  if (!is_reading(request)) {
    co_await response.send_error(kBadRequest, "bad method");
    co_return;
  }
  const std::int64_t first = decimal(request.query().get("startseg")).value_or(0);
  if (first < 0) {
    co_await response.send_error(kBadRequest, "bad startseg");
    co_return;
  }
  const std::string wanted = request.query().get("waitsizenot");
  if (!wanted.empty()) {
    const auto size = decimal(wanted);
    if (!size || *size < 0) {
      co_await response.send_error(kBadRequest, "bad waitsizenot");
      co_return;
    }
    const bool news = co_await wait_until_not(static_cast<std::uint64_t>(*size), response);
    if (!news) {
      co_await response.send(kNotModified);
      co_return;
    }
  }
  const auto list = store_.segments();
  const std::uint64_t current = list->segments.empty() ? 0 : list->segments.back().number;
  std::uint64_t size = 0;
  std::string json =
      index_json(*list, static_cast<std::uint64_t>(first) > current ? 0 : static_cast<std::uint64_t>(first), size);
  response.fields().set("Content-Type", "application/json");
  response.fields().set("X-Sum-Segment-Size", std::to_string(size));
  co_await response.send(kOk, std::move(json));
}

io::Task<> LogServer::answer_segment(net::Request& request, net::Response& response) {
  if (!is_reading(request)) {
    co_await response.send_error(kBadRequest, "bad method");
    co_return;
  }
  const auto number = decimal(request.path_param("number"));
  if (!number) {
    co_await response.send_error(kBadRequest, "bad path");
    co_return;
  }
  const auto list = store_.segments();
  const bool first_of_none = *number == 0 && list->segments.empty();
  if (!first_of_none && (*number < 0 || static_cast<std::uint64_t>(*number) >= list->segments.size())) {
    co_await response.send_error(kBadRequest, "bad segment number");
    co_return;
  }
  const Segment segment = first_of_none ? Segment{} : list->segments[static_cast<std::size_t>(*number)];
  const auto range = parse_range(request.fields().get("Range"), segment.size);
  if (std::holds_alternative<NoOverlap>(range))
    response.fields().set("Content-Range", "bytes */" + std::to_string(segment.size));
  if (!std::holds_alternative<WholeRange>(range) && !std::holds_alternative<ByteRange>(range)) {
    co_await response.send_error(kNotSatisfiable, std::holds_alternative<NoOverlap>(range)
                                                      ? "invalid range: failed to overlap"
                                                      : "invalid range");
    co_return;
  }
  ByteRange part{0, segment.size};
  response.fields().set("Accept-Ranges", "bytes");
  response.fields().set("Content-Type", "application/octet-stream");
  if (const auto* const asked = std::get_if<ByteRange>(&range)) {
    part = *asked;
    response.fields().set("Content-Range", "bytes " + std::to_string(part.begin) + "-" + std::to_string(part.end - 1) +
                                               "/" + std::to_string(segment.size));
  }
  response.fields().set("Content-Length", std::to_string(part.end - part.begin));
  // Before the head: a segment that cannot be read is a failure that can still be told.
  std::shared_ptr<const build::blob::Blob> open;
  if (part.begin < part.end) {
    auto job = [this, &segment] { return store_.open(segment); };
    open = co_await pool_.run(job);
  }
  co_await response.start(std::holds_alternative<ByteRange>(range) ? kPartial : kOk);
  if (request.method() == "HEAD") co_return;
  std::string buffer;
  for (std::uint64_t at = part.begin; at < part.end; at += buffer.size()) {
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, part.end - at)));
    auto job = [&] { open->read(at, buffer); };
    co_await pool_.run(job);
    co_await response.write(buffer);
  }
}

}  // namespace maintner
