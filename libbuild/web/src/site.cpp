// Routes, and what all answers have in common. A page is made whole before a byte of it is sent, so a wrong request
// can still become an error page; logs are the exception, they write themselves.

#include <build/web/site.h>

#include <functional>
#include <limits>
#include <stdexcept>
#include <utility>

#include "assets.h"
#include "events.h"
#include "layout.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr const char* kPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'";

void set_common_fields(net::Response& response) {
  response.fields().set("Content-Security-Policy", kPolicy);
  response.fields().set("X-Content-Type-Options", "nosniff");
  // Not no-referrer: then browsers would not say where a form was sent from, which has to be checked.
  response.fields().set("Referrer-Policy", "same-origin");
  response.fields().set("Cache-Control", "no-store");
}

bool accepts_events(const net::Request& request) {
  return request.fields().get("Accept").rfind("text/event-stream", 0) == 0;
}

bool is_api(const net::Request& request) { return request.path().rfind("/api/", 0) == 0; }

}  // namespace

Answer error_answer(const FarmView& farm, model::Time now, const net::Request& request, int status,
                    const std::string& sentence) {
  return is_api(request) ? error_json(status, sentence) : error_page(farm, now, status, sentence);
}

io::Task<> send_answer(net::Response& response, Answer answer) {
  set_common_fields(response);
  const std::string type = answer.content_type;
  co_await response.send(answer.status, type, std::move(answer.body));
}

struct Site::Impl {
  SiteSources sources;
  Streams streams;
  livelog::LineIndex lines{sources.logs};

  using Maker = std::function<io::Task<Answer>(net::Request&)>;
  using Sender = std::function<io::Task<>(net::Request&, net::Response&)>;

  Answer refusal_of(const net::Request& request, const net::HttpError& error) const {
    return error_answer(sources.farm, sources.clock.wall_now(), request, error.status(), error.what());
  }

  /// Answers with what `maker` gives.
  io::Task<> answer(Maker maker, net::Request& request, net::Response& response) const {
    std::optional<Answer> made;
    try {
      made = co_await maker(request);
    } catch (const net::HttpError& error) {
      made = refusal_of(request, error);
    }
    co_await send_answer(response, std::move(*made));
  }

  /// Lets `sender` answer; what it refuses before it began becomes an error answer.
  io::Task<> stream(const Sender& sender, net::Request& request, net::Response& response) const {
    set_common_fields(response);
    std::optional<Answer> refusal;
    try {
      co_await sender(request, response);
    } catch (const net::HttpError& error) {
      if (response.started()) throw;
      refusal = refusal_of(request, error);
    }
    if (refusal) co_await send_answer(response, std::move(*refusal));
  }

  io::Task<> send_asset(std::string name, net::Request& request, net::Response& response) const {
    const Asset* asset = find_asset(name);
    if (asset == nullptr) {
      Answer missing = error_page(sources.farm, sources.clock.wall_now(), 404, "There is no such file here.");
      co_await send_answer(response, std::move(missing));
      co_return;
    }
    set_common_fields(response);
    const std::string tag = "\"" + std::string(asset->tag) + "\"";
    const bool named_by_tag = request.query().get("v") == asset->tag;
    response.fields().set("Cache-Control", named_by_tag ? "public, max-age=31536000, immutable" : "no-cache");
    response.fields().set("ETag", tag);
    if (request.fields().has_token("If-None-Match", tag)) {
      co_await response.send(304);
      co_return;
    }
    const std::string type = name.ends_with(".css")   ? "text/css; charset=utf-8"
                             : name.ends_with(".svg") ? "image/svg+xml"
                                                      : "text/javascript; charset=utf-8";
    std::string bytes(asset->bytes);
    co_await response.send(200, type, std::move(bytes));
  }

  void add_page(net::Router& router, std::string_view pattern, Maker maker) {
    router.add("GET", pattern, [this, maker = std::move(maker)](net::Request& request, net::Response& response) {
      return answer(maker, request, response);
    });
  }
  void add_stream(net::Router& router, std::string_view pattern, Sender sender) {
    router.add("GET", pattern, [this, sender = std::move(sender)](net::Request& request, net::Response& response) {
      return stream(sender, request, response);
    });
  }
  void add_actions(net::Router& router);
  void add_routes(net::Router& router);
};

void Site::Impl::add_actions(net::Router& router) {
  for (const auto& [name, action] : {std::pair("cancel", Action::cancel), std::pair("retry", Action::retry)}) {
    const auto by_json = [this, action = action](net::Request& request, net::Response& response) {
      return answer([this, action](net::Request& r) { return act_by_json(sources.control, action, r); }, request,
                    response);
    };
    const auto by_form = [this, action = action](net::Request& request, net::Response& response) {
      const Maker maker = [this, action, &response](net::Request& r) {
        return act_by_form(sources.control, action, r, response);
      };
      return answer(maker, request, response);
    };
    router.add("POST", std::string("/api/v1/builds/{id}/") + name, by_json);
    router.add("POST", std::string("/build/{id}/") + name, by_form);
  }
  router.add("POST", "/clear-results", [this](net::Request& request, net::Response& response) {
    return answer([this](net::Request& r) { return clear_results(sources.control, sources.master_key, r); }, request,
                  response);
  });
}

void Site::Impl::add_routes(net::Router& router) {
  add_page(router, "/", [this](net::Request& request) { return front_page(sources, request.query()); });
  add_page(router, "/build/{id}", [this](net::Request& request) { return build_page(sources, lines, request); });
  add_page(router, "/build/{id}/log/{step}", [this](net::Request& request) {
    return log_page(sources, lines, request.path_param("id"), request.path_param("step"), request.query());
  });
  add_page(router, "/queue", [this](net::Request& request) { return queue_page(sources, request.query()); });
  add_page(router, "/pools", [this](net::Request&) { return pools_page(sources); });
  add_page(router, "/api/v1/queue", [this](net::Request& request) { return queue_json(sources, request.query()); });
  add_page(router, "/api/v1/pools", [this](net::Request&) { return pools_json(sources); });
  add_page(router, "/api/v1/status", [this](net::Request&) { return status_json(sources); });
  add_page(router, "/api/v1/commits", [this](net::Request& request) { return commits_json(sources, request.query()); });
  add_page(router, "/api/v1/builds", [this](net::Request& request) { return builds_json(sources, request.query()); });
  add_page(router, "/api/v1/builds/{id}",
           [this](net::Request& request) { return build_json(sources, request.path_param("id")); });
  add_page(router, "/api/v1/workers", [this](net::Request&) { return workers_json(sources); });
  add_stream(router, "/api/v1/builds/{id}/log", [this](net::Request& request, net::Response& response) {
    return send_build_log(sources, request, response);
  });
  add_stream(router, "/api/v1/builds/{id}/events", [this](net::Request& request, net::Response& response) {
    return send_build_events(sources, streams, request, response);
  });
  add_stream(router, "/api/v1/runs/{run}/log", [this](net::Request& request, net::Response& response) {
    return accepts_events(request) ? send_run_events(sources, streams, request, response)
                                   : send_run_log(sources, streams, request, response);
  });
  add_stream(router, "/api/v1/runs/{run}/events", [this](net::Request& request, net::Response& response) {
    return send_run_events(sources, streams, request, response);
  });

  add_actions(router);
  router.add("GET", "/healthz", [](net::Request&, net::Response& response) {
    response.fields().set("X-Content-Type-Options", "nosniff");
    return response.send(200, kTextType, "ok\n");
  });
  router.add("GET", "/static/{name}", [this](net::Request& request, net::Response& response) {
    return send_asset(request.path_param("name"), request, response);
  });
  router.add("GET", "/favicon.svg", [this](net::Request& request, net::Response& response) {
    return send_asset("favicon.svg", request, response);
  });
  router.not_found([this](net::Request& request, net::Response& response) {
    const net::HttpError nothing(404, "There is nothing here.");
    return send_answer(response, refusal_of(request, nothing));
  });
}

Site::Site(SiteSources sources, SiteLimits limits)
    : impl_(new Impl{.sources = sources, .streams = Streams(limits.streams)}) {}
Site::~Site() = default;
std::size_t Site::streams() const { return impl_->streams.open(); }
void Site::add_routes(net::Router& router) { impl_->add_routes(router); }

Answer error_page(const FarmView& farm, model::Time now, int status, const std::string& sentence) {
  Frame frame;
  frame.title = std::to_string(status) + " \xC2\xB7 xbuild";
  Html main;
  main.markup("<h1>").number(status).markup("</h1>\n<p class=\"lead\">").text(clipped(sentence, 500));
  main.markup("</p>\n<p><a href=\"/\">To the builds</a></p>\n");
  return {status, kHtmlType, write_page(farm, now, frame, main)};
}

io::Task<store::BuildDetails> find_build(const SiteSources& sources, std::string id) {
  const std::optional<std::int64_t> number = parse_number(id, std::numeric_limits<std::int64_t>::max());
  if (!number) throw net::HttpError(404, "There is no such build.");
  const model::BuildId build{*number};
  const auto load = [&sources, build] { return sources.store.build(build); };
  std::optional<store::BuildDetails> details = co_await sources.pool.run(load);
  if (!details) throw net::HttpError(404, "There is no build " + std::to_string(*number) + ".");
  co_return std::move(*details);
}

std::int64_t number_from(const io::Params& query, const std::string& name, std::int64_t fallback, std::int64_t min,
                         std::int64_t max) {
  if (!query.has(name)) return fallback;
  const std::optional<std::int64_t> number = parse_number(query.get(name), max);
  if (!number || *number < min)
    throw net::HttpError(400,
                         name + " must be a number from " + std::to_string(min) + " to " + std::to_string(max) + ".");
  return *number;
}

}  // namespace build::web
