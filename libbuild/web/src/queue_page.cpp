// What runs and what waits, each with what it waits for; as a page and as JSON.

#include <algorithm>
#include <map>

#include "farm_json.h"
#include "json.h"
#include "layout.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr std::int64_t kShown = 200, kMaxShown = 1000;

struct Entry {
  model::Build build;
  store::BuildDetails details;
  std::optional<farm::Waiting> waiting;
  std::optional<farm::Away> away;
  std::string hostname;  ///< of the worker it runs on
};

struct Queue {
  std::vector<Entry> running, waiting;  ///< those that are shown
  std::size_t all_running = 0, all_waiting = 0;
};

io::Task<Queue> load_queue(const SiteSources& sources, std::size_t limit) {
  Queue queue;
  std::map<model::BuildId, std::string> hosts;
  for (const WorkerView& worker : sources.farm.workers())
    if (worker.build) hosts[*worker.build] = worker.session.hostname;
  for (model::Build& build : sources.farm.unfinished()) {
    const bool runs = build.state == model::BuildState::running;
    ++(runs ? queue.all_running : queue.all_waiting);
    std::vector<Entry>& entries = runs ? queue.running : queue.waiting;
    if (entries.size() >= limit) continue;
    Entry entry{.build = std::move(build), .details = {}, .waiting = {}, .away = {}, .hostname = {}};
    entry.waiting = sources.farm.explain(entry.build.id);
    entry.away = sources.farm.away(entry.build.id);
    entry.hostname = entry.away ? entry.away->hostname : hosts[entry.build.id];
    entries.push_back(std::move(entry));
  }
  const auto load = [&sources, &queue] {
    for (std::vector<Entry>* entries : {&queue.running, &queue.waiting})
      for (Entry& entry : *entries)
        if (auto details = sources.store.build(entry.build.id)) entry.details = std::move(*details);
  };
  co_await sources.pool.run(load);
  co_return queue;
}

/// When what it does now began.
model::Time since(const Entry& entry) {
  if (entry.waiting) return entry.waiting->since;
  return entry.details.attempts.empty() ? entry.build.accepted : entry.details.attempts.back().started;
}

void write_entry(Html& html, const Entry& entry, model::Time now) {
  const model::Build& build = entry.build;
  html.markup("<tr><th scope=\"row\"><a href=\"/build/").number(build.id.value).markup("\">").number(build.id.value);
  html.markup("</a></th><td>").text(build.repository.value).markup(" <span class=\"slash\">/</span> ");
  html.text(build.branch.value).markup("</td><td><code class=\"hash\">").text(build.commit.value.substr(0, 8));
  html.markup("</code> ").text(clipped(entry.details.commit.subject, 80)).markup("</td><td>");
  html.text(build.builder.value).markup("</td>");
  if (entry.waiting) {
    html.markup("<td class=\"sentence\">It ").text(entry.waiting->sentence).markup(".");
    if (!build.why.empty()) html.markup(" ").text(clipped(build.why, 300)).markup(".");
    html.markup("</td></tr>\n");
    return;
  }
  if (entry.away)
    html.markup("<td class=\"sentence\">It runs, but ").text(entry.away->sentence).markup(".</td><td>");
  else
    html.markup("<td>").text(clipped(entry.hostname, 80)).markup("</td><td>");
  html.text(duration_text(now - since(entry))).markup("</td></tr>\n");
}

void write_rest(Html& html, std::size_t shown, std::size_t all) {
  if (shown == all) return;
  html.markup("<p class=\"aside\">The first ").number(static_cast<std::int64_t>(shown)).markup(" of ");
  html.number(static_cast<std::int64_t>(all)).markup(" are shown.</p>\n");
}

void write_entries(Json& json, const std::vector<Entry>& entries) {
  json.open_array();
  for (const Entry& entry : entries) {
    const model::Build& build = entry.build;
    json.open_object().field("id", build.id).field("url", "/build/" + std::to_string(build.id.value));
    json.field("repository", build.repository).field("branch", build.branch).field("commit", build.commit);
    json.field("subject", entry.details.commit.subject).field("builder", build.builder);
    json.field("host_type", build.host_type).field("since", since(entry)).field("attempt_count", build.attempts);
    if (entry.waiting) {
      json.field("sentence", entry.waiting->sentence).field("label", entry.waiting->label);
      json.field("ahead", static_cast<std::uint64_t>(entry.waiting->ahead)).field("why", build.why);
    } else {
      json.field("hostname", entry.hostname);
      write_away(json, entry.away);
    }
    json.close_object();
  }
  json.close_array();
}

std::size_t limit_from(const io::Params& query) {
  return static_cast<std::size_t>(number_from(query, "limit", kShown, 1, kMaxShown));
}

}  // namespace

io::Task<Answer> queue_page(const SiteSources& sources, io::Params query) {
  const std::size_t limit = limit_from(query);
  const Queue queue = co_await load_queue(sources, limit);
  const model::Time now = sources.clock.wall_now();
  Frame frame;
  frame.page = Page::queue;
  frame.title = "Queue \xC2\xB7 xbuild";
  frame.json_path = "/api/v1/queue";
  frame.refresh_seconds = 5;
  Html main;
  main.markup("<h1>Queue</h1>\n<section id=\"running\">\n<h2>Running</h2>\n");
  if (queue.running.empty()) {
    main.markup("<p class=\"empty\">No build runs.</p>\n");
  } else {
    open_table(main, "Running builds", {"Build", "Repository", "Commit", "Builder", "Worker", "For"});
    for (const Entry& entry : queue.running) write_entry(main, entry, now);
    close_table(main);
    write_rest(main, queue.running.size(), queue.all_running);
  }
  main.markup("</section>\n<section id=\"waiting\">\n<h2>Waiting</h2>\n");
  if (queue.waiting.empty()) {
    main.markup("<p class=\"empty\">No build waits.</p>\n");
  } else {
    open_table(main, "Waiting builds, in the order in which they start",
               {"Build", "Repository", "Commit", "Builder", "Why it waits"});
    for (const Entry& entry : queue.waiting) write_entry(main, entry, now);
    close_table(main);
    write_rest(main, queue.waiting.size(), queue.all_waiting);
  }
  main.markup("</section>\n");
  co_return Answer{200, kHtmlType, write_page(sources.farm, now, frame, main)};
}

io::Task<Answer> queue_json(const SiteSources& sources, io::Params query) {
  const std::size_t limit = limit_from(query);
  const Queue queue = co_await load_queue(sources, limit);
  Json json;
  json.open_object().field("running_count", static_cast<std::uint64_t>(queue.all_running));
  json.field("waiting_count", static_cast<std::uint64_t>(queue.all_waiting)).key("running");
  write_entries(json, queue.running);
  json.key("waiting");
  write_entries(json, queue.waiting);
  json.close_object();
  co_return Answer{200, kJsonType, json.str()};
}

}  // namespace build::web
