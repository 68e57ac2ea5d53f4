#include "layout.h"

#include "assets.h"
#include "text.h"

namespace build::web {

namespace {

// Shapes differ without colour: a tick in a disc, a cross in a square, an open ring, a dotted ring, a triangle.
constexpr Html::Literal kShapes =
    "<svg class=\"shapes\" width=\"0\" height=\"0\" aria-hidden=\"true\" focusable=\"false\">"
    "<symbol id=\"m-ok\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"7\" fill=\"currentColor\"/>"
    "<path class=\"cut\" d=\"M4.6 8.3l2.4 2.4 4.5-5\"/></symbol>"
    "<symbol id=\"m-failed\" viewBox=\"0 0 16 16\"><rect x=\"1\" y=\"1\" width=\"14\" height=\"14\" rx=\"2.5\" "
    "fill=\"currentColor\"/><path class=\"cut\" d=\"M5 5l6 6M11 5l-6 6\"/></symbol>"
    "<symbol id=\"m-running\" viewBox=\"0 0 16 16\"><circle class=\"track\" cx=\"8\" cy=\"8\" r=\"6\"/>"
    "<path class=\"line\" d=\"M8 2a6 6 0 0 1 6 6\"/></symbol>"
    "<symbol id=\"m-waiting\" viewBox=\"0 0 16 16\"><circle class=\"dots\" cx=\"8\" cy=\"8\" r=\"6\"/></symbol>"
    "<symbol id=\"m-lost\" viewBox=\"0 0 16 16\"><path d=\"M8 1.5l7 13H1z\" fill=\"currentColor\" "
    "stroke=\"currentColor\" stroke-width=\"1.4\" stroke-linejoin=\"round\"/>"
    "<path class=\"cut\" d=\"M8 6v4M8 12.4v.1\"/></symbol></svg>\n";

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

void write_load(Html& html, const FarmView& farm) {
  const Load load = farm.load();
  std::size_t connected = 0, busy = 0;
  for (const WorkerView& worker : farm.workers()) {
    ++connected;
    if (worker.build) ++busy;
  }
  const auto count = [&html](std::size_t number, auto... words) {
    html.markup("<li><b>").number(static_cast<std::int64_t>(number)).markup("</b> ");
    (html.text(words), ...);
    html.markup("</li>");
  };
  html.markup("<ul class=\"load\">");
  count(load.running, "running");
  count(load.waiting, "waiting");
  count(connected, connected == 1 ? "worker" : "workers", connected == 0 ? "" : ", ",
        connected == 0 ? "" : std::to_string(busy) + " busy");
  html.markup("</ul>\n");
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
  if (build.result == model::Result::ok) return Mark::ok;
  return build.result == model::Result::failed ? Mark::failed : Mark::lost;
}

Mark mark_of(model::AttemptOutcome outcome) {
  switch (outcome) {
    case model::AttemptOutcome::running:
      return Mark::running;
    case model::AttemptOutcome::ok:
      return Mark::ok;
    case model::AttemptOutcome::failed:
      return Mark::failed;
    case model::AttemptOutcome::lost:
    case model::AttemptOutcome::cancelled:
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
    case Mark::lost:
      break;
  }
  return "lost";
}

void write_shape(Html& html, Mark mark) {
  html.markup("<svg class=\"shape ").text(word_of(mark)).markup("\" aria-hidden=\"true\"><use href=\"#m-");
  html.text(word_of(mark)).markup("\"/></svg>");
}

void write_mark(Html& html, Mark mark) {
  html.markup("<span class=\"mark ").text(word_of(mark)).markup("\">");
  write_shape(html, mark);
  html.text(word_of(mark)).markup("</span>");
}

void write_age(Html& html, model::Time time, model::Time now) {
  html.markup("<time datetime=\"").text(rfc3339(time)).markup("\" title=\"").text(utc_text(time)).markup("\">");
  html.text(age_text(time, now)).markup("</time>");
}

std::string write_page(const FarmView& farm, model::Time now, const Frame& frame, const Html& main) {
  Html html;
  write_head(html, frame);
  html.markup("<body data-refresh=\"").number(frame.refresh_seconds).markup("\">\n").markup(kShapes);
  html.markup("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\">");
  html.markup("<a class=\"brand\" href=\"/\"><svg class=\"logo\" viewBox=\"0 0 20 20\" aria-hidden=\"true\">");
  html.markup("<rect class=\"l1\" x=\"1\" y=\"1\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l2\" x=\"11\" y=\"1\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l2\" x=\"1\" y=\"11\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l1\" x=\"11\" y=\"11\" width=\"8\" height=\"8\" rx=\"2\"/></svg>xbuild</a>");
  write_load(html, farm);
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
