// One build: how it stands, what failed, its attempts, its log step by step.

#include <io/http1.h>

#include <algorithm>
#include <map>

#include "layout.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr std::uint64_t kShownLog = 256 * 1024;   ///< of all steps together
constexpr std::uint64_t kFailureLog = 16 * 1024;  ///< where the failing step's last lines are looked for
constexpr std::size_t kFailureLines = 40;

/// A step with the end of its log.
struct StepLog {
  model::Step step;
  LogTail tail;
};

struct View {
  store::BuildDetails details;
  std::optional<farm::Waiting> waiting;
  std::vector<StepLog> steps;      ///< of the last attempt
  std::optional<StepLog> failure;  ///< the failing step with its last lines
  bool with_logs = true;           ///< false: the script has them already
  model::Time now;
};

std::string_view last_lines(std::string_view bytes, std::size_t lines) {
  while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) bytes.remove_suffix(1);
  std::size_t begin = bytes.size();
  while (lines-- > 0) {
    const std::size_t end = begin == 0 ? std::string_view::npos : bytes.rfind('\n', begin - 1);
    if (end == std::string_view::npos) return bytes;
    begin = end;
  }
  return bytes.substr(begin + 1);
}

io::Task<> load_logs(livelog::LogStore& logs, View& view) {
  const int last = view.details.attempts.empty() ? 0 : view.details.attempts.back().number;
  for (const model::Step& step : view.details.steps)
    if (step.attempt == last) view.steps.push_back({step, {}});
  // The newest output matters most, so room is given out from the last step on.
  std::uint64_t room = kShownLog;
  for (auto entry = view.steps.rbegin(); entry != view.steps.rend(); ++entry) {
    entry->tail = co_await read_tail(logs, entry->step.run, room);
    if (!view.with_logs) {
      entry->tail.bytes.clear();
    } else {
      room -= std::min<std::uint64_t>(room, entry->tail.bytes.size());
    }
  }
  if (mark_of(view.details.build) != Mark::failed) co_return;
  const auto failing = std::find_if(view.steps.rbegin(), view.steps.rend(), [](const StepLog& entry) {
    return entry.step.outcome == model::AttemptOutcome::failed;
  });
  if (failing == view.steps.rend()) co_return;
  view.failure = StepLog{failing->step, {}};
  view.failure->tail = co_await read_tail(logs, failing->step.run, kFailureLog);
}

std::string run_log_path(const model::RunId& run) { return "/api/v1/runs/" + io::percent_encode(run.value) + "/log"; }

void write_took(Html& html, model::Time began, const std::optional<model::Time>& ended, model::Time now) {
  if (!ended) html.markup("for ");
  html.text(duration_text(ended.value_or(now) - began));
}

void write_title(Html& html, const View& view) {
  const model::Build& build = view.details.build;
  const model::Commit& commit = view.details.commit;
  html.markup("<p class=\"crumbs\"><a href=\"/\">All repositories</a> <span class=\"slash\">/</span> <a href=\"");
  html.text("/?repository=" + io::percent_encode(build.repository.value) +
            "&branch=" + io::percent_encode(build.branch.value));
  html.markup("\">").text(build.repository.value).markup(" <span class=\"slash\">/</span> ").text(build.branch.value);
  html.markup("</a></p>\n<h1 class=\"build\">");
  write_shape(html, mark_of(build));
  html.markup("Build ").number(build.id.value).markup(" <span class=\"mark ").text(word_of(mark_of(build)));
  html.markup("\">").text(word_of(mark_of(build))).markup("</span></h1>\n<p class=\"lead\"><code class=\"hash\">");
  html.text(build.commit.value.substr(0, 12)).markup("</code> ").text(clipped(commit.subject, 200));
  html.markup(" <span class=\"by\">").text(clipped(commit.author_name, 80)).markup(", ");
  write_age(html, commit.committed, view.now);
  html.markup("</span></p>\n");
}

void write_facts(Html& html, const View& view) {
  const model::Build& build = view.details.build;
  html.markup("<dl class=\"facts\">\n<div><dt>Builder</dt><dd>").text(build.builder.value);
  html.markup("</dd></div>\n<div><dt>Host type</dt><dd>").text(build.host_type.value);
  html.markup("</dd></div>\n<div><dt>Accepted</dt><dd>");
  write_age(html, build.accepted, view.now);
  html.markup("</dd></div>\n");
  if (!view.details.attempts.empty()) {
    const model::Attempt& last = view.details.attempts.back();
    html.markup("<div><dt>Worker</dt><dd>").text(clipped(last.hostname, 80)).markup("</dd></div>\n<div><dt>");
    html.markup(last.ended ? Html::Literal("Took") : Html::Literal("Running")).markup("</dt><dd>");
    write_took(html, last.started, last.ended, view.now);
    html.markup("</dd></div>\n");
  }
  html.markup("</dl>\n");
  if (view.waiting) html.markup("<p class=\"why waiting\">This build ").text(view.waiting->sentence).markup(".</p>\n");
  if (const auto& removal = view.details.logs_removed) {
    html.markup("<p class=\"why\">The logs of ");
    if (removal->attempts < build.attempts)
      html.markup("its attempts up to ").number(removal->attempts);
    else
      html.markup("this build");
    html.markup(" were removed ");
    write_age(html, removal->removed, view.now);
    html.markup(": ").text(removal->why).markup(".</p>\n");
  }
  if (!build.why.empty() && !view.failure)
    html.markup("<p class=\"why ").text(word_of(mark_of(build))).markup("\">").text(build.why).markup("</p>\n");
}

void write_failure(Html& html, const StepLog& failure, const model::Build& build) {
  html.markup("<section class=\"failure\" id=\"failure\">\n<h2>Step ").text(failure.step.name);
  html.markup(": ").text(failure.step.status.empty() ? "failed" : failure.step.status).markup("</h2>\n");
  // Usually the build's sentence says just what the heading does.
  if (build.why.find(failure.step.status) == std::string::npos) html.markup("<p>").text(build.why).markup("</p>\n");
  if (failure.tail.bytes.empty()) {
    html.markup("<p class=\"empty\">It printed nothing.</p>\n");
  } else {
    html.markup("<pre class=\"log\" tabindex=\"0\" aria-label=\"The failing step's last lines\">");
    write_log(html, last_lines(failure.tail.bytes, kFailureLines));
    html.markup("</pre>\n");
  }
  html.markup("</section>\n");
}

void write_attempts(Html& html, const View& view) {
  if (view.details.attempts.empty()) return;
  html.markup("<section id=\"attempts\">\n<h2>Attempts</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" ");
  html.markup("aria-label=\"Attempts\">\n<table class=\"list\">\n<thead><tr><th scope=\"col\">Attempt</th>");
  html.markup("<th scope=\"col\">Ended</th><th scope=\"col\">Worker</th><th scope=\"col\">Began</th>");
  html.markup(
      "<th scope=\"col\">Took</th><th scope=\"col\">Why</th><th scope=\"col\">Logs</th></tr></thead>\n<tbody>\n");
  for (const model::Attempt& attempt : view.details.attempts) {
    html.markup("<tr><th scope=\"row\">").number(attempt.number).markup("</th><td>");
    write_mark(html, mark_of(attempt.outcome));
    html.markup("</td><td>").text(clipped(attempt.hostname, 80)).markup("</td><td>");
    write_age(html, attempt.started, view.now);
    html.markup("</td><td>");
    write_took(html, attempt.started, attempt.ended, view.now);
    html.markup("</td><td>").text(attempt.why).markup("</td><td>");
    for (const model::Step& step : view.details.steps) {
      if (step.attempt != attempt.number) continue;
      html.markup("<a href=\"").text(run_log_path(step.run)).markup("\">").text(step.name).markup("</a> ");
    }
    html.markup("</td></tr>\n");
  }
  html.markup("</tbody>\n</table>\n</div>\n</section>\n");
}

/// What the script keeps as it is once it is in the page: it reads on by itself at data-offset.
void write_output(Html& html, const StepLog& entry, bool with_logs) {
  const LogTail& tail = entry.tail;
  const bool running = entry.step.outcome == model::AttemptOutcome::running;
  html.markup("<div class=\"output\" data-keep=\"\" id=\"output-").number(entry.step.attempt).markup("-");
  html.number(entry.step.index).markup("\">\n");
  if (tail.begin > 0) {
    html.markup("<p class=\"gap\">").text(size_text(tail.begin)).markup(" of output before this: <a href=\"");
    html.text(run_log_path(entry.step.run)).markup("\">the whole log</a>.</p>\n");
  }
  if (!tail.found && !running) {
    html.markup("<p class=\"empty\">There is no log of this step.</p>\n</div>\n");
    return;
  }
  html.markup("<pre class=\"log\" tabindex=\"0\" aria-label=\"Output of ").text(entry.step.name);
  html.markup("\" data-run=\"").text(entry.step.run.value).markup("\" data-offset=\"");
  html.number(static_cast<std::int64_t>(tail.begin + tail.bytes.size())).markup("\"");
  if (running || tail.growing || !with_logs) html.markup(" data-live=\"\"");
  html.markup(">");
  write_log(html, tail.bytes);
  html.markup("</pre>\n</div>\n");
}

void write_steps(Html& html, const View& view) {
  if (view.steps.empty()) return;
  html.markup("<section id=\"log\">\n<h2>Log</h2>\n<p class=\"aside\">");
  if (view.details.attempts.size() > 1)
    html.markup("Of attempt ").number(view.details.attempts.back().number).markup(". ");
  html.markup("<a href=\"/api/v1/builds/").number(view.details.build.id.value);
  html.markup("/log\">Everything as plain text</a></p>\n");
  for (std::size_t i = 0; i < view.steps.size(); ++i) {
    const StepLog& entry = view.steps[i];
    const Mark mark = mark_of(entry.step.outcome);
    html.markup("<details class=\"step\" id=\"step-").number(entry.step.attempt).markup("-");
    html.number(entry.step.index).markup("\"");
    if (mark != Mark::ok || i + 1 == view.steps.size()) html.markup(" open");
    html.markup(">\n<summary>");
    write_shape(html, mark);
    html.markup("<span class=\"name\">").text(entry.step.name).markup("</span> <span class=\"status ");
    html.text(word_of(mark)).markup("\">");
    html.text(mark == Mark::running || entry.step.status.empty() ? word_of(mark) : entry.step.status);
    html.markup("</span> <span class=\"took\">");
    write_took(html, entry.step.started, entry.step.ended, view.now);
    html.markup("</span></summary>\n");
    if (!entry.step.command.empty())
      html.markup("<pre class=\"command\"><code>").text(entry.step.command).markup("</code></pre>\n");
    write_output(html, entry, view.with_logs);
    html.markup("</details>\n");
  }
  html.markup("</section>\n");
}

}  // namespace

io::Task<Answer> build_page(const SiteSources& sources, std::string id, io::Params query) {
  View view;
  view.details = co_await find_build(sources, std::move(id));
  view.with_logs = query.get("logs") != "0";
  view.waiting = sources.farm.explain(view.details.build.id);
  co_await load_logs(sources.logs, view);
  view.now = sources.clock.wall_now();

  const model::Build& build = view.details.build;
  Frame frame;
  frame.title = std::string(word_of(mark_of(build))) + " \xC2\xB7 build " + std::to_string(build.id.value) +
                " \xC2\xB7 " + build.repository.value + " on " + build.builder.value;
  frame.json_path = "/api/v1/builds/" + std::to_string(build.id.value);
  frame.refresh_seconds = build.state == model::BuildState::finished ? 0 : 3;
  Html main;
  write_title(main, view);
  write_facts(main, view);
  if (view.failure) write_failure(main, *view.failure, build);
  write_attempts(main, view);
  write_steps(main, view);
  co_return Answer{200, kHtmlType, write_page(sources.farm, view.now, frame, main)};
}

}  // namespace build::web
