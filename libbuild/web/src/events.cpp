// How it works: a stream is one coroutine that sends what there is to send, then waits until something wakes it: bytes
// of the log it is at, a change in the farm, the time for a sign of life, or the client's leaving. The farm's changes
// only say "look again", and at most one look is taken per kLookPeriod, so a busy farm costs each stream little.

#include "events.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "event_text.h"
#include "json.h"
#include "log_reader.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

namespace asio = boost::asio;

constexpr std::size_t kEventPiece = 32 * 1024;
constexpr io::Duration kKeepAlive = std::chrono::seconds{15};
constexpr io::Duration kLookPeriod = std::chrono::milliseconds{50};
/// How long a browser waits before it comes again, in milliseconds.
constexpr const char* kPreamble = "retry: 1000\n\n";

/// Where the client wants to go on: the header that a browser sends when it comes again, else the query.
std::string asked_position(const net::Request& request) {
  const std::string last = request.fields().get("Last-Event-ID");
  return last.empty() ? request.query().get("from") : last;
}

void set_stream_fields(net::Response& response) {
  response.fields().set("Content-Type", "text/event-stream");
  // For proxies: pass every byte on at once.
  response.fields().set("X-Accel-Buffering", "no");
}

/// What all streams have: the answer, and things that wake it.
class Stream {
 public:
  Stream(const SiteSources& sources, io::Executor executor, net::Response& response)
      : sources_(sources),
        executor_(executor),
        response_(response),
        wake_(executor),
        reader_(sources.logs, executor, wake_, kEventPiece) {}

  io::Task<> open() {
    co_await response_.start(200);
    response_.on_client_gone([this] {
      gone_ = true;
      reader_.give_up();
      wake_.notify_all();
    });
    co_await write(kPreamble);
  }

  io::Task<> write(std::string text) {
    co_await response_.write(text);
    last_sent_ = sources_.clock.now();
  }

  /// Waits until it is woken, until `when` at the latest.
  io::Task<> wait(std::optional<io::Instant> when) {
    const io::Instant next = std::min(last_sent_ + kKeepAlive, when.value_or(io::Instant::max()));
    if (gone_) throw net::AbortExchange();
    {
      const io::Alarm alarm = sources_.clock.call_at(executor_, next, [this] { wake_.notify_all(); });
      co_await wake_.wait();
    }
    if (gone_) throw net::AbortExchange();
    if (sources_.clock.now() >= last_sent_ + kKeepAlive) co_await write(":\n\n");
  }

  const SiteSources& sources() const { return sources_; }
  io::Executor executor() const { return executor_; }
  io::Event& wake() { return wake_; }
  LogReader& reader() { return reader_; }

 private:
  const SiteSources& sources_;
  io::Executor executor_;
  net::Response& response_;
  io::Event wake_;
  LogReader reader_;
  io::Instant last_sent_{};
  bool gone_ = false;
};

// One run.

class RunStream {
 public:
  RunStream(Stream& stream, model::RunId run, std::uint64_t offset)
      : stream_(stream), run_(std::move(run)), cutter_(offset) {}

  io::Task<> run() {
    while (true) {
      if (!stream_.reader().busy()) stream_.reader().begin(run_, cutter_.next());
      co_await stream_.wait(std::nullopt);
      const LogReader::Result result = stream_.reader().take();
      if (result.came == LogReader::Came::nothing) continue;
      if (result.came != LogReader::Came::bytes) break;
      CharacterCutter::Piece piece = cutter_.put(result.bytes);
      co_await send(std::move(piece));
    }
    CharacterCutter::Piece rest = cutter_.finish();
    co_await send(std::move(rest));
    Json json;
    json.open_object().field("run", run_).field("size", cutter_.next()).close_object();
    std::string text = event_text("end", {}, json.line());
    co_await stream_.write(std::move(text));
  }

 private:
  io::Task<> send(CharacterCutter::Piece piece) {
    if (piece.bytes.empty()) co_return;
    const auto length = static_cast<std::uint64_t>(piece.bytes.size());
    Json json;
    json.open_object().field("run", run_).field("offset", piece.offset).field("length", length);
    json.field("text", piece.bytes).close_object();
    std::string text = event_text("log", std::to_string(piece.offset + length), json.line());
    co_await stream_.write(std::move(text));
  }

  Stream& stream_;
  model::RunId run_;
  CharacterCutter cutter_;
};

// One build.

class BuildStream {
 public:
  BuildStream(Stream& stream, model::BuildId build, Position from)
      : stream_(stream), build_(build), at_(from), cutter_(from.offset), watch_over_(stream.executor()) {}

  io::Task<> run() {
    while (!over_) {
      if (look_wanted_ && stream_.sources().clock.now() >= next_look_) co_await look();
      read_on();
      co_await take();
      // What is there already goes on at once.
      if (over_ || (look_wanted_ && stream_.sources().clock.now() >= next_look_)) continue;
      if (!stream_.reader().busy() && !drained_) continue;
      co_await stream_.wait(look_wanted_ ? std::optional(next_look_) : std::nullopt);
    }
    Json json;
    json.open_object().field("build", build_).field("state", name_of(details_.build.state));
    json.field("result", name_of(details_.build.result)).close_object();
    std::string text = event_text("end", {}, json.line());
    co_await stream_.write(std::move(text));
  }

  /// Looks again whenever the farm changed, until stop().
  void begin_watch() {
    watching_ = true;
    asio::co_spawn(stream_.executor(), watch(), asio::bind_cancellation_slot(cancel_watch_.slot(), [this](auto) {
                     watching_ = false;
                     watch_over_.notify_all();
                   }));
  }
  io::Task<> stop() {
    cancel_watch_.emit(asio::cancellation_type::terminal);
    while (watching_) co_await watch_over_.wait();
  }

 private:
  io::Task<> watch() {
    while (true) {
      look_wanted_ = true;
      stream_.wake().notify_all();
      co_await stream_.sources().changed.wait();
    }
  }

  /// Tells the state, if it is another one than last time.
  io::Task<> look() {
    look_wanted_ = false;
    next_look_ = stream_.sources().clock.now() + kLookPeriod;
    std::string id = std::to_string(build_.value);
    details_ = co_await find_build(stream_.sources(), std::move(id));
    drained_ = false;
    std::string document = build_document(details_, stream_.sources().farm);
    if (document == told_) co_return;
    told_ = std::move(document);
    std::string text = event_text("state", {}, told_);
    co_await stream_.write(std::move(text));
  }

  /// The step whose log is being sent: the one at the position, or the next one there is.
  const model::Step* current() const {
    const auto place = [](const model::Step& step) {
      return std::pair<std::int64_t, std::int64_t>(step.attempt, step.index);
    };
    const std::pair here(at_.attempt, at_.step);
    const auto found = std::find_if(details_.steps.begin(), details_.steps.end(),
                                    [&](const model::Step& step) { return place(step) >= here; });
    return found == details_.steps.end() ? nullptr : &*found;
  }

  void read_on() {
    if (stream_.reader().busy() || drained_) return;
    const model::Step* step = current();
    if (step == nullptr) {
      drained_ = true;
      over_ = details_.build.state == model::BuildState::finished;
      return;
    }
    if (at_.attempt != step->attempt || at_.step != step->index) {
      at_ = {step->attempt, step->index, 0};
      cutter_ = CharacterCutter(0);
    }
    stream_.reader().begin(step->run, cutter_.next());
  }

  io::Task<> take() {
    const LogReader::Result result = stream_.reader().take();
    if (result.came == LogReader::Came::nothing) co_return;
    const model::Step* step = current();
    if (result.came == LogReader::Came::bytes) {
      CharacterCutter::Piece piece = cutter_.put(result.bytes);
      co_await send(*step, std::move(piece));
      co_return;
    }
    if (!step->ended) {
      // Its end, or the beginning of its log, is not known yet. Only the former is told as a change of the farm.
      drained_ = true;
      if (result.came == LogReader::Came::no_log) look_wanted_ = true;
      co_return;
    }
    CharacterCutter::Piece rest = cutter_.finish();
    co_await send(*step, std::move(rest));
    at_ = {step->attempt, step->index + 1, 0};
    cutter_ = CharacterCutter(0);
  }

  io::Task<> send(const model::Step& step, CharacterCutter::Piece piece) {
    if (piece.bytes.empty()) co_return;
    const auto length = static_cast<std::uint64_t>(piece.bytes.size());
    Json json;
    json.open_object().field("run", step.run).field("step", step.index).field("attempt", step.attempt);
    json.field("offset", piece.offset).field("length", length).field("text", piece.bytes).close_object();
    const Position behind{step.attempt, step.index, piece.offset + length};
    std::string text = event_text("log", behind.str(), json.line());
    co_await stream_.write(std::move(text));
  }

  Stream& stream_;
  model::BuildId build_;
  Position at_;  ///< the step; the offset is the cutter's
  CharacterCutter cutter_;
  store::BuildDetails details_;
  std::string told_;
  bool look_wanted_ = true;
  io::Instant next_look_{};
  bool drained_ = false;  ///< no more to read before the next look
  bool over_ = false;
  asio::cancellation_signal cancel_watch_;
  bool watching_ = false;
  io::Event watch_over_;
};

/// Waits for `body`, then for what `clean_up` makes, whether `body` ended well or not.
template <typename CleanUp>
io::Task<> with_clean_up(io::Task<> body, CleanUp clean_up) {
  std::exception_ptr failure;
  try {
    co_await std::move(body);
  } catch (const std::exception&) {
    failure = std::current_exception();
  }
  co_await clean_up();
  if (failure) std::rethrow_exception(failure);
}

/// Throws 416 unless the log of `run` has that many bytes.
io::Task<> check_offset(const SiteSources& sources, model::RunId run, std::uint64_t offset) {
  const std::optional<livelog::LogStore::Info> info = co_await sources.logs.info(std::move(run));
  const std::uint64_t size = info ? info->size : 0;
  if (offset > size)
    throw net::HttpError(416, "The log has " + std::to_string(size) + " bytes; offset " + std::to_string(offset) +
                                  " is beyond its end.");
}

}  // namespace

Streams::Pass Streams::enter() {
  if (open_ >= limit_)
    throw net::HttpError(503, "Too many logs are being followed at the moment (" + std::to_string(limit_) +
                                  "); try again later, or read the log without following it.");
  return Pass(*this);
}

io::Task<> send_run_events(const SiteSources& sources, Streams& streams, net::Request& request,
                           net::Response& response) {
  const model::RunId run{request.path_param("run")};
  const std::string asked = asked_position(request);
  const std::optional<std::int64_t> offset =
      asked.empty() ? 0 : parse_number(asked, std::numeric_limits<std::int64_t>::max());
  if (!offset) throw net::HttpError(400, "The position must be an offset in the log, a whole number.");
  if (!co_await sources.logs.info(run)) throw net::HttpError(404, "There is no log of this run.");
  co_await check_offset(sources, run, static_cast<std::uint64_t>(*offset));

  const Streams::Pass pass = streams.enter();
  set_stream_fields(response);
  if (request.method() == "HEAD") co_return;
  Stream stream(sources, co_await asio::this_coro::executor, response);
  co_await stream.open();
  RunStream body(stream, run, static_cast<std::uint64_t>(*offset));
  const auto clean_up = [&stream] { return stream.reader().stop(); };
  io::Task<> task = body.run();
  co_await with_clean_up(std::move(task), clean_up);
  co_await response.finish();
}

io::Task<> send_build_events(const SiteSources& sources, Streams& streams, net::Request& request,
                             net::Response& response) {
  std::string id = request.path_param("id");
  const store::BuildDetails details = co_await find_build(sources, std::move(id));
  const std::string asked = asked_position(request);
  const std::optional<Position> from = asked.empty() ? Position{} : Position::parse(asked);
  if (!from) throw net::HttpError(400, "The position must be one that a stream of this build gave as an id.");
  if (*from != Position{}) {
    const auto step = std::find_if(details.steps.begin(), details.steps.end(), [&](const model::Step& candidate) {
      return candidate.attempt == from->attempt && candidate.index == from->step;
    });
    if (step == details.steps.end()) throw net::HttpError(416, "There is no such position in this build's output.");
    co_await check_offset(sources, step->run, from->offset);
  }

  const Streams::Pass pass = streams.enter();
  set_stream_fields(response);
  if (request.method() == "HEAD") co_return;
  Stream stream(sources, co_await asio::this_coro::executor, response);
  co_await stream.open();
  BuildStream body(stream, details.build.id, *from);
  body.begin_watch();
  const auto clean_up = [&stream, &body]() -> io::Task<> {
    co_await body.stop();
    co_await stream.reader().stop();
  };
  io::Task<> task = body.run();
  co_await with_clean_up(std::move(task), clean_up);
  co_await response.finish();
}

}  // namespace build::web
