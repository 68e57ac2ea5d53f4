// The workers by host type: how each stands and what it does, and those that were lost lately; as a page and as JSON.

#include <algorithm>
#include <map>

#include "json.h"
#include "layout.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr auto kLately = std::chrono::hours{24};
constexpr std::size_t kEndedShown = 50;

/// The workers of one host type.
struct Pool {
  std::vector<WorkerView> workers;
  std::size_t waiting = 0;  ///< builds that need one
};

struct PoolsView {
  std::map<model::HostType, Pool> pools;
  std::map<model::BuildId, model::Build> running;
  std::vector<model::Session> ended;
  model::Time now;
};

/// What a worker is up to: idle, busy, draining.
std::string_view state_of(const WorkerView& worker) {
  if (worker.draining) return "draining";
  return worker.build ? "busy" : "idle";
}

io::Task<PoolsView> load_pools(const SiteSources& sources) {
  PoolsView view;
  view.now = sources.clock.wall_now();
  for (WorkerView& worker : sources.farm.workers())
    view.pools[worker.session.host_type].workers.push_back(std::move(worker));
  for (model::Build& build : sources.farm.unfinished()) {
    if (build.state == model::BuildState::waiting)
      ++view.pools[build.host_type].waiting;
    else
      view.running.emplace(build.id, std::move(build));
  }
  for (auto& [type, pool] : view.pools)
    std::stable_sort(pool.workers.begin(), pool.workers.end(),
                     [](const WorkerView& a, const WorkerView& b) { return a.session.hostname < b.session.hostname; });
  const auto load = [&sources, &view] { view.ended = sources.store.ended_sessions(view.now - kLately, kEndedShown); };
  co_await sources.pool.run(load);
  co_return view;
}

std::size_t busy_count(const Pool& pool) {
  return static_cast<std::size_t>(std::count_if(pool.workers.begin(), pool.workers.end(),
                                                [](const WorkerView& worker) { return worker.build.has_value(); }));
}

void write_what_it_does(Html& html, const PoolsView& view, const WorkerView& worker) {
  if (!worker.build) return;
  html.markup("<a href=\"/build/").number(worker.build->value).markup("\">build ").number(worker.build->value);
  html.markup("</a>");
  const auto build = view.running.find(*worker.build);
  if (build == view.running.end()) return;
  html.markup(" <span class=\"soft\">").text(build->second.repository.value).markup(" on ");
  html.text(build->second.builder.value).markup("</span>");
}

void write_worker(Html& html, const PoolsView& view, const WorkerView& worker) {
  const std::string_view state = state_of(worker);
  html.markup("<tr><th scope=\"row\">").text(clipped(worker.session.hostname, 80));
  if (worker.session.dev_key) html.markup(" <span class=\"danger\">public development key</span>");
  html.markup("</th><td><span class=\"mark ").text(state).markup("\">").text(state).markup("</span></td><td>");
  write_what_it_does(html, view, worker);
  html.markup("</td><td>").text(clipped(worker.session.version, 40)).markup("</td><td>");
  write_age(html, worker.session.connected, view.now);
  html.markup("</td></tr>\n");
}

void write_count(Html& html, std::size_t count, Html::Literal one, Html::Literal many) {
  html.number(static_cast<std::int64_t>(count)).markup(" ").markup(count == 1 ? one : many);
}

void write_pool(Html& html, const PoolsView& view, const model::HostType& type, const Pool& pool, std::size_t number) {
  html.markup("<section id=\"pool-").number(static_cast<std::int64_t>(number)).markup("\">\n<h2>");
  html.text(clipped(type.value, 80)).markup("</h2>\n<p class=\"aside\">");
  write_count(html, pool.workers.size(), "worker", "workers");
  html.markup(", ").number(static_cast<std::int64_t>(busy_count(pool))).markup(" busy; ");
  write_count(html, pool.waiting, "build waits", "builds wait");
  html.markup(".</p>\n");
  if (pool.workers.empty()) {
    html.markup("<p class=\"why lost\">No worker of this type is connected.</p>\n");
  } else {
    open_table(html, "Workers of " + clipped(type.value, 80), {"Host", "State", "Does", "Version", "Connected"});
    for (const WorkerView& worker : pool.workers) write_worker(html, view, worker);
    close_table(html);
  }
  html.markup("</section>\n");
}

void write_ended(Html& html, const PoolsView& view) {
  if (view.ended.empty()) return;
  html.markup("<section id=\"ended\">\n<h2>Gone in the last 24 hours</h2>\n");
  open_table(html, "Connections that ended", {"Host", "Host type", "Gone", "Was connected", "Why"});
  for (const model::Session& session : view.ended) {
    html.markup("<tr><th scope=\"row\">").text(clipped(session.hostname, 80)).markup("</th><td>");
    html.text(clipped(session.host_type.value, 80)).markup("</td><td>");
    write_age(html, session.ended.value_or(view.now), view.now);
    html.markup("</td><td>").text(duration_text(session.ended.value_or(view.now) - session.connected));
    html.markup("</td><td>").text(clipped(session.why, 300)).markup("</td></tr>\n");
  }
  close_table(html);
  html.markup("</section>\n");
}

void write_session(Json& json, const model::Session& session) {
  json.field("session", session.id).field("worker", session.worker).field("hostname", session.hostname);
  json.field("version", session.version).field("dev_key", session.dev_key).field("connected", session.connected);
}

}  // namespace

io::Task<Answer> pools_page(const SiteSources& sources) {
  const PoolsView view = co_await load_pools(sources);
  Frame frame;
  frame.page = Page::pools;
  frame.title = "Workers \xC2\xB7 xbuild";
  frame.json_path = "/api/v1/pools";
  frame.refresh_seconds = 5;
  Html main;
  main.markup("<h1>Workers</h1>\n");
  if (view.pools.empty()) main.markup("<p class=\"empty\">No worker is connected, and no build waits for one.</p>\n");
  std::size_t number = 0;
  for (const auto& [type, pool] : view.pools) write_pool(main, view, type, pool, number++);
  write_ended(main, view);
  co_return Answer{200, kHtmlType, write_page(sources.farm, view.now, frame, main)};
}

io::Task<Answer> pools_json(const SiteSources& sources) {
  const PoolsView view = co_await load_pools(sources);
  Json json;
  json.open_object().key("pools").open_array();
  for (const auto& [type, pool] : view.pools) {
    json.open_object().field("host_type", type).field("waiting", static_cast<std::uint64_t>(pool.waiting));
    json.key("workers").open_array();
    for (const WorkerView& worker : pool.workers) {
      json.open_object();
      write_session(json, worker.session);
      json.field("state", state_of(worker)).field("build", worker.build).close_object();
    }
    json.close_array().close_object();
  }
  json.close_array().key("ended").open_array();
  for (const model::Session& session : view.ended) {
    json.open_object().field("host_type", session.host_type);
    write_session(json, session);
    json.field("ended", session.ended).field("why", session.why).close_object();
  }
  json.close_array().close_object();
  co_return Answer{200, kJsonType, json.str()};
}

}  // namespace build::web
