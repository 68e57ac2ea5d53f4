// One step's log from any line on, in pages of bounded size.

#include <io/http1.h>

#include <algorithm>
#include <limits>

#include "layout.h"
#include "log_view.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr std::uint64_t kLines = 1000;
constexpr std::uint64_t kBytes = 256 * 1024;

struct LogView {
  model::Build build;
  StepLog log;              ///< the part that is shown
  std::uint64_t lines = 0;  ///< of the whole log; one that only begins counts
  std::uint64_t next = 0;   ///< the first line that is not shown
  bool cut = false;         ///< the last line that is shown goes on
};

/// The step that "1-0" (attempt, index) names. Throws 404.
model::Step find_step(const store::BuildDetails& details, const std::string& name) {
  const std::size_t dash = std::min(name.find('-'), name.size());
  constexpr std::int64_t kMax = std::numeric_limits<int>::max();
  const auto attempt = parse_number(name.substr(0, dash), kMax);
  const auto index = parse_number(name.substr(std::min(dash + 1, name.size())), kMax);
  const auto step = std::find_if(details.steps.begin(), details.steps.end(), [&](const model::Step& candidate) {
    return candidate.attempt == attempt && candidate.index == index;
  });
  if (!attempt || !index || step == details.steps.end())
    throw net::HttpError(404, "Build " + std::to_string(details.build.id.value) + " has no such step.");
  return *step;
}

/// Shortens what was read to whole lines, at most kLines of them; a line that is longer than a page is cut.
void cut_to_lines(LogView& view) {
  std::string& bytes = view.log.tail.bytes;
  const bool to_the_end = view.log.tail.begin + bytes.size() == view.log.tail.size;
  std::uint64_t count = 0;
  std::size_t end = 0;
  while (count < kLines && end < bytes.size()) {
    const std::size_t feed = bytes.find('\n', end);
    if (feed == std::string::npos && !to_the_end && count > 0) break;
    view.cut = feed == std::string::npos && !to_the_end;
    end = feed == std::string::npos ? bytes.size() : feed + 1;
    ++count;
  }
  bytes.resize(end);
  view.next = view.log.line + count;
}

io::Task<> load(const SiteSources& sources, livelog::LineIndex& lines, std::uint64_t from, LogView& view) {
  StepLog& log = view.log;
  const model::RunId run = log.step.run;
  const std::optional<livelog::LogStore::Info> info = co_await sources.logs.info(run);
  if (!info) throw net::HttpError(404, "There is no log of this step.");
  log.tail.found = true;
  log.tail.size = info->size;
  view.lines = co_await lines.line_at(run, info->size);
  std::optional<std::uint64_t> last;
  if (info->size != 0) last = co_await lines.offset_of(run, view.lines);
  if (view.lines > 1 && last == info->size) --view.lines;
  log.line = std::min(from, view.lines);
  log.tail.begin = (co_await lines.offset_of(run, log.line)).value_or(0);
  log.tail.bytes =
      co_await read_range(sources.logs, run, log.tail.begin, std::min(kBytes, info->size - log.tail.begin));
  cut_to_lines(view);
}

void write_link(Html& html, const LogView& view, Html::Literal text, std::uint64_t line, bool leads) {
  if (!leads) return;
  html.markup("<a href=\"").text(log_path(view.log.step, line)).markup("\">").markup(text).markup("</a> ");
}

/// `label` is for those who do not see it; each of the page has its own.
void write_navigation(Html& html, const LogView& view, Html::Literal label) {
  const std::uint64_t line = view.log.line;
  html.markup("<nav class=\"paging\" aria-label=\"").markup(label).markup("\">");
  write_link(html, view, "First lines", 1, line > 1);
  write_link(html, view, "Earlier", line > kLines ? line - kLines : 1, line > 1);
  write_link(html, view, "Later", view.next, view.next <= view.lines);
  write_link(html, view, "Last lines", view.lines > kLines ? view.lines - kLines + 1 : 1, view.next <= view.lines);
  html.markup("</nav>\n");
}

void write_form(Html& html, const LogView& view) {
  std::string action = log_path(view.log.step, 1);
  action.erase(action.find('?'));
  html.markup("<form class=\"filter\" action=\"").text(action).markup("\" method=\"get\" role=\"search\" ");
  html.markup("aria-label=\"Go to a line\">\n<label>From line<input name=\"from\" inputmode=\"numeric\" ");
  html.markup("pattern=\"[0-9]{1,15}\" required value=\"").number(static_cast<std::int64_t>(view.log.line));
  html.markup("\"></label>\n<button>Go</button>\n</form>\n");
}

void write_lines(Html& html, const LogView& view) {
  const StepLog& log = view.log;
  if (log.tail.bytes.empty()) {
    html.markup("<p class=\"empty\">It printed nothing.</p>\n");
    return;
  }
  html.markup("<pre class=\"log whole\" tabindex=\"0\" aria-label=\"Output of ").text(log.step.name).markup("\">");
  write_log_lines(html, log.tail.bytes, line_names(log));
  html.markup("</pre>\n");
  if (!view.cut) return;
  const std::uint64_t end = log.tail.begin + log.tail.bytes.size();
  html.markup("<p class=\"gap\">Line ").text(count_text(view.next - 1)).markup(" goes on: <a href=\"");
  html.text(run_log_path(log.step.run)).markup("?offset=").number(static_cast<std::int64_t>(end));
  html.markup("\">the log as plain text from here on</a>.</p>\n");
}

}  // namespace

io::Task<Answer> log_page(const SiteSources& sources, livelog::LineIndex& lines, std::string id, std::string step,
                          io::Params query) {
  constexpr std::int64_t kMaxLine = 999'999'999'999'999;
  const std::int64_t from = query.get("from").empty() ? 1 : number_from(query, "from", 1, 1, kMaxLine);
  const store::BuildDetails details = co_await find_build(sources, std::move(id));
  LogView view;
  view.build = details.build;
  view.log.step = find_step(details, step);
  co_await load(sources, lines, static_cast<std::uint64_t>(from), view);

  Frame frame;
  const std::string number = std::to_string(view.build.id.value);
  frame.title = view.log.step.name + " \xC2\xB7 build " + number + " \xC2\xB7 xbuild";
  frame.json_path = "/api/v1/builds/" + number;
  Html main;
  write_crumbs(main, view.build);
  main.markup("<h1 class=\"build\"><a href=\"/build/").number(view.build.id.value).markup("\">Build ");
  main.number(view.build.id.value).markup("</a> <span class=\"slash\">/</span> ").text(view.log.step.name);
  main.markup(" ");
  write_mark(main, mark_of(view.log.step.outcome));
  main.markup("</h1>\n<p class=\"aside\">Attempt ").number(view.log.step.attempt).markup(", lines ");
  main.text(count_text(view.log.line)).markup(" to ").text(count_text(std::max(view.next, view.log.line + 1) - 1));
  main.markup(" of ").text(count_text(view.lines)).markup(", ").text(size_text(view.log.tail.size));
  main.markup(" in all. <a href=\"").text(run_log_path(view.log.step.run)).markup("\">As plain text</a></p>\n");
  write_form(main, view);
  write_navigation(main, view, "Parts of the log");
  write_lines(main, view);
  write_navigation(main, view, "Parts of the log, at its end");
  co_return Answer{200, kHtmlType, write_page(sources.farm, sources.clock.wall_now(), frame, main)};
}

LineNames line_names(const StepLog& log) {
  return {.prefix = "s" + std::to_string(log.step.attempt) + "-" + std::to_string(log.step.index) + "-L",
          .first = log.line};
}

std::string log_path(const model::Step& step, std::uint64_t line) {
  return "/build/" + std::to_string(step.build.value) + "/log/" + std::to_string(step.attempt) + "-" +
         std::to_string(step.index) + "?from=" + std::to_string(line);
}

std::string run_log_path(const model::RunId& run) { return "/api/v1/runs/" + io::percent_encode(run.value) + "/log"; }

void write_crumbs(Html& html, const model::Build& build) {
  html.markup("<p class=\"crumbs\"><a href=\"/\">All builds</a> <span class=\"slash\">/</span> <a href=\"");
  html.text("/?repository=" + io::percent_encode(build.repository.value) +
            "&branch=" + io::percent_encode(build.branch.value));
  html.markup("\">").text(build.repository.value).markup(" <span class=\"slash\">/</span> ").text(build.branch.value);
  html.markup("</a></p>\n");
}

}  // namespace build::web
