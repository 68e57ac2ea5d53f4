// A request is taken apart on the event loop; its page is made by a thread, whole, from one view, so that what is wrong
// can still become a page of its own. Only streams of news stay on the loop.

#include <maintner/web_site.h>

#include <build/html/html.h>
#include <io/blocking_pool.h>
#include <io/event.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include "assets.h"
#include "catalog.h"
#include "layout.h"
#include "page.h"
#include "turnstile.h"

namespace maintner {

namespace net = build::net;

namespace web {

namespace {

constexpr const char* kHtmlType = "text/html; charset=utf-8";
constexpr const char* kPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'";
constexpr std::size_t kPageThreads = 4;
constexpr io::Duration kKeepAlive = std::chrono::seconds{15};
constexpr io::Duration kBetweenNews = std::chrono::milliseconds{200};
/// Counting anew takes this many times as long at least, so that a log that grows all the time does not keep a
/// processor busy.
constexpr int kRest = 10;
constexpr io::Duration kLeastRest = std::chrono::seconds{1};

void set_common_fields(net::Response& response) {
  response.fields().set("Content-Security-Policy", kPolicy);
  response.fields().set("X-Content-Type-Options", "nosniff");
  response.fields().set("Referrer-Policy", "same-origin");
  response.fields().set("Cache-Control", "no-cache");
}

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/plain; charset=utf-8";
}

/// What is being answered: shared, because somebody who goes away is noticed by the connection.
struct Visit {
  std::atomic<bool> gone = false;
};

}  // namespace

}  // namespace web

using namespace web;

struct WebSite::Impl {
  Impl(io::Executor executor, io::Clock& clock_used, WebSiteSource source_used, WebSiteLimits limits_used)
      : executor_(executor),
        clock_(clock_used),
        source_(std::move(source_used)),
        limits_(limits_used),
        started_(clock_.wall_now()),
        searches_(executor, clock_, {limits_.at_once, limits_.waiting, limits_.patience}, "searches"),
        statements_(executor, clock_, {limits_.at_once, limits_.waiting, limits_.patience}, "statements"),
        news_(executor),
        counted_(executor),
        pages_(kPageThreads),
        slow_(2 * limits_.at_once + 1) {}

  io::Task<> answer(net::Request& request, net::Response& response);
  io::Task<> stop();
  void changed();

 private:
  io::Task<> send_page(Asked asked, net::Request& request, net::Response& response);
  io::Task<Answer> page(const Asked& asked, const View& view, const Visit& visit);
  io::Task<Answer> page_in(io::BlockingPool& pool, const Asked& asked, const View& view, const Visit& visit);
  io::Task<> send(net::Response& response, Answer answer);
  io::Task<> send_refusal(net::Response& response, int status, std::string sentence);
  io::Task<> send_asset(std::string name, net::Request& request, net::Response& response);
  io::Task<> send_news(net::Request& request, net::Response& response);
  io::Task<> count();
  std::string tag_of(const View& view) const;

  io::Executor executor_;
  io::Clock& clock_;
  const WebSiteSource source_;
  const WebSiteLimits limits_;
  const io::WallTime started_;
  Catalog catalog_;
  Turnstile searches_, statements_;
  io::Event news_;     ///< there is a newer view, or all is to end
  io::Event counted_;  ///< count() has ended
  std::size_t streams_ = 0;
  bool counting_ = false, count_again_ = false;
  std::atomic<bool> stopping_ = false;
  io::BlockingPool pages_, slow_;
};

io::Task<> WebSite::Impl::send(net::Response& response, Answer answer) {
  set_common_fields(response);
  if (!answer.location.empty()) response.fields().set("Location", answer.location);
  if (answer.status == 503) response.fields().set("Retry-After", "5");
  co_await response.send(answer.status, kHtmlType, std::move(answer.body));
}

io::Task<> WebSite::Impl::send_refusal(net::Response& response, int status, std::string sentence) {
  const View view = source_.view();
  Answer answer = error_page(view, status, sentence);
  co_await send(response, std::move(answer));
}

io::Task<> WebSite::Impl::send_asset(std::string name, net::Request& request, net::Response& response) {
  const Asset* const asset = find_asset(name);
  if (asset == nullptr) {
    std::string sentence = "There is no such file here.";
    co_await send_refusal(response, 404, std::move(sentence));
    co_return;
  }
  set_common_fields(response);
  const std::string tag = "\"" + std::string(asset->tag) + "\"";
  if (request.query().get("v") == asset->tag)
    response.fields().set("Cache-Control", "public, max-age=31536000, immutable");
  response.fields().set("ETag", tag);
  if (request.fields().has_token("If-None-Match", tag)) {
    co_await response.send(304);
    co_return;
  }
  const std::string_view type = type_of(name);
  std::string bytes(asset->bytes);
  co_await response.send(200, type, std::move(bytes));
}

/// Tells of newer moments than the one that was asked from, until the client is gone.
io::Task<> WebSite::Impl::send_news(net::Request& request, net::Response& response) {
  if (streams_ >= limits_.streams) {
    std::string sentence = "Too many pages are being told of news at the moment: try again later.";
    co_await send_refusal(response, 503, std::move(sentence));
    co_return;
  }
  struct Leave {
    ~Leave() { --streams; }
    std::size_t& streams;
  };
  ++streams_;
  const Leave leave{streams_};
  const std::string last = request.fields().get("Last-Event-ID");
  std::string told = last.empty() ? request.query().get("from") : last;
  set_common_fields(response);
  response.fields().set("Content-Type", "text/event-stream");
  response.fields().set("Cache-Control", "no-store");
  // For proxies: pass every byte on at once.
  response.fields().set("X-Accel-Buffering", "no");
  co_await response.start(200);
  const auto gone = std::make_shared<bool>(false);
  response.on_client_gone([this, gone] {
    *gone = true;
    news_.notify_all();
  });
  if (told.empty()) told = moment_of(source_.view(), catalog_);
  std::string text = "retry: 1000\n\n";
  io::Instant sent = clock_.now();
  for (;;) {
    if (!text.empty()) {
      co_await response.write(text);
      sent = clock_.now();
      text.clear();
    }
    if (*gone || stopping_) co_return;
    const std::string newest = moment_of(source_.view(), catalog_);
    const io::Instant now = clock_.now();
    const bool is_news = newest != told;
    if (is_news && now >= sent + kBetweenNews) {
      told = newest;
      text = "id: " + newest + "\nevent: news\ndata: " + newest + "\n\n";
      continue;
    }
    if (now >= sent + kKeepAlive) {
      text = ":\n\n";
      continue;
    }
    const io::Alarm alarm =
        clock_.call_at(executor_, sent + (is_news ? kBetweenNews : kKeepAlive), [this] { news_.notify_all(); });
    co_await news_.wait();
  }
}

io::Task<Answer> WebSite::Impl::page_in(io::BlockingPool& pool, const Asked& asked, const View& view,
                                        const Visit& visit) {
  const Context context{.view = view,
                        .catalog = catalog_,
                        .queries = source_.queries,
                        .sql_time = limits_.sql_time,
                        .sql_rows = limits_.sql_rows,
                        .gone = visit.gone};
  const auto make = [&context, &asked] {
    try {
      return make_page(context, asked);
    } catch (const Refusal& refusal) {
      return error_page(context.view, refusal.status(), refusal.what());
    }
  };
  Answer answer = co_await pool.run(make);
  co_return answer;
}

io::Task<Answer> WebSite::Impl::page(const Asked& asked, const View& view, const Visit& visit) {
  const Kind kind = kind_of(asked);
  if (kind == Kind::plain) {
    Answer answer = co_await page_in(pages_, asked, view, visit);
    co_return answer;
  }
  Turnstile& turnstile = kind == Kind::search ? searches_ : statements_;
  const Turnstile::Pass pass = co_await turnstile.enter(visit.gone);
  Answer answer = co_await page_in(slow_, asked, view, visit);
  co_return answer;
}

/// Changes with all that a page is made of: the view, and what has been counted.
std::string WebSite::Impl::tag_of(const View& view) const {
  return "\"" + std::to_string(started_.time_since_epoch().count()) + "-" + moment_of(view, catalog_) + "\"";
}

io::Task<> WebSite::Impl::send_page(Asked asked, net::Request& request, net::Response& response) {
  const View view = source_.view();
  const std::string tag = tag_of(view);
  // A directory's statements may change without the corpus.
  const bool has_tag = kind_of(asked) == Kind::plain && !(asked.path.size() == 2 && asked.path[1] == "sql");
  if (has_tag && request.fields().has_token("If-None-Match", tag)) {
    set_common_fields(response);
    response.fields().set("ETag", tag);
    co_await response.send(304);
    co_return;
  }
  const auto visit = std::make_shared<Visit>();
  response.on_client_gone([this, visit] {
    visit->gone = true;
    searches_.wake();
    statements_.wake();
  });
  std::optional<Answer> made;
  std::string refused;
  try {
    made = co_await page(asked, view, *visit);
  } catch (const Refusal& refusal) {
    made = error_page(view, refusal.status(), refusal.what());
  }
  if (has_tag && made->status == 200) response.fields().set("ETag", tag);
  co_await send(response, std::move(*made));
}

io::Task<> WebSite::Impl::answer(net::Request& request, net::Response& response) {
  if (request.method() != "GET" && request.method() != "HEAD") {
    response.fields().set("Allow", "GET, HEAD");
    std::string sentence = "Nothing can be changed here: there is GET, and HEAD.";
    co_await send_refusal(response, 405, std::move(sentence));
    co_return;
  }
  std::optional<Asked> asked;
  int status = 0;
  std::string sentence;
  try {
    asked = parse_asked(request.raw_path(), request.raw_query());
  } catch (const Refusal& refusal) {
    status = refusal.status();
    sentence = refusal.what();
  }
  if (!asked) {
    co_await send_refusal(response, status, std::move(sentence));
    co_return;
  }
  const auto& path = asked->path;
  if (path.size() == 3 && path[0] == "-" && path[1] == "static") {
    std::string name = path[2];
    co_await send_asset(std::move(name), request, response);
  } else if (path.size() == 2 && path[0] == "-" && path[1] == "events" && request.method() == "GET") {
    co_await send_news(request, response);
  } else if (path.size() == 2 && path[0] == "-" && path[1] == "healthz") {
    set_common_fields(response);
    co_await response.send(200, "text/plain; charset=utf-8", "ok\n");
  } else {
    co_await send_page(std::move(*asked), request, response);
  }
}

/// Counts until nothing has changed meanwhile.
io::Task<> WebSite::Impl::count() {
  counting_ = true;
  while (count_again_ && !stopping_) {
    count_again_ = false;
    const io::Instant begin = clock_.now();
    std::string trouble;
    auto job = [this] { catalog_.update(source_.view(), stopping_); };
    try {
      co_await slow_.run(job);
    } catch (const std::exception& error) {
      trouble = error.what();
    }
    if (!trouble.empty() && source_.log) source_.log("counting failed: " + trouble);
    news_.notify_all();
    const io::Instant next = clock_.now() + std::max<io::Duration>(kLeastRest, kRest * (clock_.now() - begin));
    while (clock_.now() < next && !stopping_) {
      const io::Alarm alarm = clock_.call_at(executor_, next, [this] { news_.notify_all(); });
      co_await news_.wait();
    }
  }
  counting_ = false;
  counted_.notify_all();
}

void WebSite::Impl::changed() {
  count_again_ = true;
  if (!counting_ && !stopping_) {
    counting_ = true;
    io::spawn(executor_, count(), [this](std::exception_ptr error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& failure) {
        if (source_.log) source_.log(std::string("counting failed: ") + failure.what());
      }
    });
  }
  news_.notify_all();
}

io::Task<> WebSite::Impl::stop() {
  stopping_ = true;
  news_.notify_all();
  while (counting_) co_await counted_.wait();
}

WebSite::WebSite(io::Executor executor, io::Clock& clock, WebSiteSource source, WebSiteLimits limits)
    : impl_(std::make_unique<Impl>(executor, clock, std::move(source), limits)) {}
WebSite::~WebSite() = default;
void WebSite::start() { impl_->changed(); }
void WebSite::changed() { impl_->changed(); }
io::Task<> WebSite::stop() { return impl_->stop(); }

net::Handler WebSite::handler() {
  return [this](net::Request& request, net::Response& response) { return impl_->answer(request, response); };
}

}  // namespace maintner
