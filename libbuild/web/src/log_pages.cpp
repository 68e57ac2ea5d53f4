// Logs as they are: plain text from an offset on, following while they grow.

#include <build/web/html.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "events.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

namespace asio = boost::asio;

constexpr std::size_t kPiece = 64 * 1024;

/// nullopt if there is no such log (any more).
io::Task<std::optional<std::size_t>> read_piece(livelog::LogStore& logs, model::RunId run, std::uint64_t offset,
                                                asio::mutable_buffer into) {
  try {
    co_return co_await logs.read(std::move(run), offset, into, livelog::LogStore::Follow::no);
  } catch (const std::out_of_range&) {
    co_return std::nullopt;
  }
}

/// Reads a log that grows, and can be told to give up.
class Follower {
 public:
  Follower(livelog::LogStore& logs, model::RunId run) : logs_(logs), run_(std::move(run)) {}

  void give_up() {
    gone_ = true;
    signal_.emit(asio::cancellation_type::terminal);
  }

  /// 0 at the end; AbortExchange once it gave up.
  io::Task<std::size_t> read(std::uint64_t offset, asio::mutable_buffer into) {
    if (gone_) throw net::AbortExchange();
    const auto executor = co_await asio::this_coro::executor;
    std::size_t count = 0;
    bool aborted = false;
    try {
      io::Task<std::size_t> task = logs_.read(run_, offset, into, livelog::LogStore::Follow::yes);
      auto token = asio::bind_cancellation_slot(signal_.slot(), asio::use_awaitable);
      count = co_await asio::co_spawn(executor, std::move(task), std::move(token));
    } catch (const boost::system::system_error& error) {
      if (!gone_) throw;
      aborted = true;
    }
    if (aborted || gone_) throw net::AbortExchange();
    co_return count;
  }

 private:
  livelog::LogStore& logs_;
  model::RunId run_;
  asio::cancellation_signal signal_;
  bool gone_ = false;
};

/// Writes [offset, end) of a log; stops short if the log does.
io::Task<> copy(livelog::LogStore& logs, model::RunId run, std::uint64_t offset, std::uint64_t end,
                net::Response& response) {
  std::vector<char> room(std::min<std::uint64_t>(kPiece, std::max<std::uint64_t>(end - offset, 1)));
  while (offset < end) {
    const asio::mutable_buffer into(room.data(), std::min<std::uint64_t>(room.size(), end - offset));
    const std::optional<std::size_t> count = co_await read_piece(logs, run, offset, into);
    if (!count || *count == 0) throw net::AbortExchange();
    co_await response.write(std::string_view(room.data(), *count));
    offset += *count;
  }
}

io::Task<> follow(livelog::LogStore& logs, model::RunId run, std::uint64_t offset, net::Response& response) {
  Follower follower(logs, run);
  response.on_client_gone([&follower] { follower.give_up(); });
  std::vector<char> room(kPiece);
  while (true) {
    const asio::mutable_buffer into(room.data(), room.size());
    const std::size_t count = co_await follower.read(offset, into);
    if (count == 0) break;
    co_await response.write(std::string_view(room.data(), count));
    offset += count;
  }
  co_await response.finish();
}

}  // namespace

io::Task<std::string> read_range(livelog::LogStore& logs, model::RunId run, std::uint64_t offset, std::uint64_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const asio::mutable_buffer into(bytes.data() + have, bytes.size() - have);
    const std::optional<std::size_t> count = co_await read_piece(logs, run, offset + have, into);
    if (!count || *count == 0) break;
    have += *count;
  }
  bytes.resize(have);
  co_return bytes;
}

io::Task<LogTail> read_tail(livelog::LogStore& logs, model::RunId run, std::uint64_t limit) {
  LogTail tail;
  const std::optional<livelog::LogStore::Info> info = co_await logs.info(run);
  if (!info) co_return tail;
  tail.found = true;
  tail.growing = info->growing;
  tail.size = info->size;
  tail.begin = info->size - std::min(info->size, limit);
  tail.bytes = co_await read_range(logs, run, tail.begin, info->size - tail.begin);
  if (tail.begin > 0) {
    const std::size_t cut = first_whole_line(tail.bytes);
    tail.bytes.erase(0, cut);
    tail.begin += cut;
  }
  co_return tail;
}

io::Task<> send_run_log(const SiteSources& sources, Streams& streams, net::Request& request, net::Response& response) {
  const model::RunId run{request.path_param("run")};
  io::Params query = request.query();
  // Who was cut off and says so with the header of event streams wants the rest as it comes.
  if (const std::string* last = request.fields().find("Last-Event-ID"); last != nullptr && !query.has("offset")) {
    query.add("offset", *last);
    query.add("follow", "1");
  }
  const std::int64_t asked = number_from(query, "offset", 0, 0, std::numeric_limits<std::int64_t>::max());
  const auto offset = static_cast<std::uint64_t>(asked);
  const bool follows = number_from(query, "follow", 0, 0, 1) == 1 && request.method() != "HEAD";
  const std::optional<livelog::LogStore::Info> info = co_await sources.logs.info(run);
  if (!info) throw net::HttpError(404, "There is no log of this run.");
  if (offset > info->size)
    throw net::HttpError(416, "The log has " + std::to_string(info->size) + " bytes; offset " + std::to_string(offset) +
                                  " is beyond its end.");
  response.fields().set("Content-Type", kTextType);
  response.fields().set("X-Log-Offset", std::to_string(offset));
  if (follows) {
    const Streams::Pass pass = streams.enter();
    co_await response.start(200);
    co_await follow(sources.logs, run, offset, response);
    co_return;
  }
  response.fields().set("Content-Length", std::to_string(info->size - offset));
  co_await response.start(200);
  co_await copy(sources.logs, run, offset, info->size, response);
  co_await response.finish();
}

io::Task<> send_build_log(const SiteSources& sources, net::Request& request, net::Response& response) {
  std::string id = request.path_param("id");
  const store::BuildDetails details = co_await find_build(sources, std::move(id));
  response.fields().set("Content-Type", kTextType);
  co_await response.start(200);
  for (const model::Step& step : details.steps) {
    const std::string heading = "\n### attempt " + std::to_string(step.attempt) + ", step " + step.name + ": " +
                                (step.status.empty() ? std::string(name_of(step.outcome)) : step.status) + "\n";
    co_await response.write(heading);
    const std::optional<livelog::LogStore::Info> info = co_await sources.logs.info(step.run);
    if (info) co_await copy(sources.logs, step.run, 0, info->size, response);
  }
  co_await response.finish();
}

}  // namespace build::web
