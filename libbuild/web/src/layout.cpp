#include "layout.h"

#include "assets.h"
#include "text.h"

namespace build::web {

namespace {

void write_asset_link(Html& html, std::string_view name) {
  const Asset* asset = find_asset(name);
  html.markup("/static/").text(name).markup("?v=").text(asset == nullptr ? "" : asset->tag);
}

void write_head(Html& html, const Frame& frame) {
  html.markup("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
  html.text(frame.title).markup("</title>\n");
  html.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
  html.markup("<meta name=\"color-scheme\" content=\"light dark\">\n");
  html.markup("<link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\n<link rel=\"stylesheet\" href=\"");
  write_asset_link(html, "site.css");
  html.markup("\">\n<script src=\"");
  write_asset_link(html, "site.js");
  html.markup("\" defer></script>\n");
  if (frame.refresh_seconds > 0) {
    // Without scripts the page is loaded anew, less often: that loses one's place in it.
    html.markup("<noscript><meta http-equiv=\"refresh\" content=\"").number(frame.refresh_seconds * 6);
    html.markup("\"></noscript>\n");
  }
  html.markup("</head>\n");
}

struct Counts {
  std::size_t waiting = 0, running = 0, connected = 0, busy = 0;
};

Counts count(const FarmView& farm) {
  const Load load = farm.load();
  Counts counts{.waiting = load.waiting, .running = load.running};
  for (const WorkerView& worker : farm.workers()) {
    ++counts.connected;
    if (worker.build) ++counts.busy;
  }
  return counts;
}

void write_navigation(Html& html, const FarmView& farm, Page open) {
  const auto link = [&html, open](Page page, Html::Literal path, Html::Literal name) {
    html.markup("<a href=\"").markup(path).markup("\"");
    if (page == open) html.markup(" aria-current=\"page\"");
    html.markup(">").markup(name);
  };
  const auto number = [&html](std::size_t value, Html::Literal word) {
    html.markup(" <span><b>").number(static_cast<std::int64_t>(value)).markup("</b> ").markup(word).markup("</span>");
  };
  const Counts counts = count(farm);
  html.markup("<nav class=\"pages\" aria-label=\"Pages\">");
  link(Page::builds, "/", "Builds");
  html.markup("</a>");
  link(Page::queue, "/queue", "Queue");
  number(counts.running, "running");
  number(counts.waiting, "waiting");
  html.markup("</a>");
  link(Page::pools, "/pools", "Workers");
  number(counts.connected, "connected");
  number(counts.busy, "busy");
  html.markup("</a></nav>\n");
}

void write_notices(Html& html, const FarmView& farm) {
  for (const Notice& notice : farm.notices()) {
    const bool danger = notice.weight == Notice::Weight::danger;
    html.markup("<p class=\"notice ").text(danger ? "danger" : "information").markup("\" role=\"status\">");
    if (danger) html.markup("<strong>Warning:</strong> ");
    html.text(notice.sentence).markup("</p>\n");
  }
}

}  // namespace

Mark mark_of(const model::Build& build) {
  if (build.state == model::BuildState::waiting) return Mark::waiting;
  if (build.state == model::BuildState::running) return Mark::running;
  return mark_of(build.result);
}

Mark mark_of(model::Result result) {
  switch (result) {
    case model::Result::ok:
      return Mark::ok;
    case model::Result::failed:
      return Mark::failed;
    case model::Result::cancelled:
      return Mark::cancelled;
    case model::Result::lost:
    case model::Result::none:
      break;
  }
  return Mark::lost;
}

Mark mark_of(model::AttemptOutcome outcome) {
  switch (outcome) {
    case model::AttemptOutcome::running:
      return Mark::running;
    case model::AttemptOutcome::ok:
      return Mark::ok;
    case model::AttemptOutcome::failed:
      return Mark::failed;
    case model::AttemptOutcome::cancelled:
      return Mark::cancelled;
    case model::AttemptOutcome::lost:
      break;
  }
  return Mark::lost;
}

std::string_view word_of(Mark mark) {
  switch (mark) {
    case Mark::waiting:
      return "waiting";
    case Mark::running:
      return "running";
    case Mark::ok:
      return "ok";
    case Mark::failed:
      return "failed";
    case Mark::cancelled:
      return "cancelled";
    case Mark::lost:
      break;
  }
  return "lost";
}

void write_mark(Html& html, Mark mark) {
  html.markup("<span class=\"mark ").text(word_of(mark)).markup("\">").text(word_of(mark)).markup("</span>");
}

void open_table(Html& html, std::string_view label, std::initializer_list<Html::Literal> columns) {
  html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").text(label);
  html.markup("\">\n<table class=\"list\">\n<thead><tr>");
  for (const Html::Literal column : columns) html.markup("<th scope=\"col\">").markup(column).markup("</th>");
  html.markup("</tr></thead>\n<tbody>\n");
}

void close_table(Html& html) { html.markup("</tbody>\n</table>\n</div>\n"); }

void write_age(Html& html, model::Time time, model::Time now) {
  html.markup("<time datetime=\"").text(rfc3339(time)).markup("\" title=\"").text(utc_text(time)).markup("\">");
  html.text(age_text(time, now)).markup("</time>");
}

std::string write_page(const FarmView& farm, model::Time now, const Frame& frame, const Html& main) {
  Html html;
  write_head(html, frame);
  html.markup("<body data-refresh=\"").number(frame.refresh_seconds).markup("\"");
  if (!frame.events_path.empty()) html.markup(" data-events=\"").text(frame.events_path).markup("\"");
  html.markup(">\n");
  html.markup("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\">");
  html.markup("<a class=\"brand\" href=\"/\"><svg class=\"logo\" viewBox=\"0 0 20 20\" aria-hidden=\"true\">");
  html.markup("<rect class=\"l1\" x=\"1\" y=\"1\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l2\" x=\"11\" y=\"1\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l2\" x=\"1\" y=\"11\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l1\" x=\"11\" y=\"11\" width=\"8\" height=\"8\" rx=\"2\"/></svg>xbuild</a>");
  write_navigation(html, farm, frame.page);
  html.markup("</header>\n<div class=\"notices\">");
  write_notices(html, farm);
  html.markup("</div>\n<main id=\"main\">\n").part(main).markup("</main>\n<footer><p>xbuild ").text(farm.version());
  html.markup(" \xC2\xB7 made at ").text(utc_text(now));
  if (!frame.json_path.empty())
    html.markup(" \xC2\xB7 <a href=\"").text(frame.json_path).markup("\">this page as JSON</a>");
  html.markup("</p></footer>\n</body>\n</html>\n");
  return std::move(html).str();
}

}  // namespace build::web
