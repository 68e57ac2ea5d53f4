// One build: how it stands, what failed, its attempts, its log step by step.

#include <algorithm>

#include "event_text.h"
#include "layout.h"
#include "log_view.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr std::uint64_t kShownLog = 64 * 1024;    ///< of all steps together
constexpr std::uint64_t kFailureLog = 16 * 1024;  ///< where the failing step's last lines are looked for
constexpr std::size_t kFailureLines = 40;

struct View {
  store::BuildDetails details;
  std::optional<farm::Waiting> waiting;
  std::optional<farm::Away> away;
  std::vector<StepLog> steps;      ///< of the last attempt
  std::optional<StepLog> failure;  ///< the failing step with its last lines
  std::string position;            ///< where the events go on behind what is shown
  bool with_logs = true;           ///< false: the script has them already
  bool may_act = false;            ///< who looks at it may cancel and retry it
  bool unknown = false;            ///< nobody knows who looks at it
  model::Time now;
};

/// Where the last `lines` lines begin.
std::size_t last_lines(std::string_view bytes, std::size_t lines) {
  while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) bytes.remove_suffix(1);
  std::size_t begin = bytes.size();
  while (lines-- > 0) {
    const std::size_t end = begin == 0 ? std::string_view::npos : bytes.rfind('\n', begin - 1);
    if (end == std::string_view::npos) return 0;
    begin = end;
  }
  return begin + 1;
}

io::Task<> load_failure(livelog::LogStore& logs, livelog::LineIndex& lines, View& view) {
  if (mark_of(view.details.build) != Mark::failed) co_return;
  const auto failing = std::find_if(view.steps.begin(), view.steps.end(), [](const StepLog& entry) {
    return entry.step.outcome == model::AttemptOutcome::failed;
  });
  if (failing == view.steps.end()) co_return;
  StepLog failure{.step = failing->step, .tail = {}};
  failure.tail = co_await read_tail(logs, failure.step.run, kFailureLog);
  const std::size_t cut = last_lines(failure.tail.bytes, kFailureLines);
  failure.tail.bytes.erase(0, cut);
  failure.tail.begin += cut;
  if (failure.tail.found) failure.line = co_await lines.line_at(failure.step.run, failure.tail.begin);
  view.failure = std::move(failure);
}

/// Where somebody who has seen what `view` shows goes on.
io::Task<std::string> position_behind(livelog::LogStore& logs, const View& view) {
  if (view.details.steps.empty()) co_return "";
  const model::Step& last = view.details.steps.back();
  std::uint64_t offset = 0;
  if (!view.steps.empty()) {
    const LogTail& tail = view.steps.back().tail;
    offset = tail.begin + tail.bytes.size();
  } else if (const auto info = co_await logs.info(last.run)) {
    offset = info->size;
  }
  co_return Position{last.attempt, last.index, offset}.str();
}

io::Task<> load_logs(livelog::LogStore& logs, livelog::LineIndex& lines, View& view) {
  const int last = view.details.attempts.empty() ? 0 : view.details.attempts.back().number;
  for (const model::Step& step : view.details.steps)
    if (step.attempt == last) view.steps.push_back({.step = step, .tail = {}});
  // The newest output matters most, so room is given out from the last step on.
  std::uint64_t room = view.with_logs ? kShownLog : 0;
  for (auto entry = view.steps.rbegin(); entry != view.steps.rend(); ++entry) {
    entry->tail = co_await read_tail(logs, entry->step.run, room);
    LogTail& tail = entry->tail;
    if (entry->step.outcome == model::AttemptOutcome::running) tail.bytes.resize(whole_length(tail.bytes));
    room -= std::min<std::uint64_t>(room, tail.bytes.size());
    if (view.with_logs && tail.begin > 0) entry->line = co_await lines.line_at(entry->step.run, tail.begin);
  }
  view.position = co_await position_behind(logs, view);
  co_await load_failure(logs, lines, view);
}

void write_took(Html& html, model::Time began, const std::optional<model::Time>& ended, model::Time now) {
  if (!ended) html.markup("for ");
  html.text(duration_text(ended.value_or(now) - began));
}

void write_title(Html& html, const View& view) {
  const model::Build& build = view.details.build;
  const model::Commit& commit = view.details.commit;
  html.markup("<h1 class=\"build\">Build ").number(build.id.value).markup(" ");
  write_mark(html, mark_of(build));
  html.markup("</h1>\n<p class=\"lead\"><code class=\"hash\">");
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
  if (view.away)
    html.markup("<p class=\"why waiting\">This build runs, but ").text(view.away->sentence).markup(".</p>\n");
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

/// What can be done about it. Each form has an id, so that the script does not make the one into the other when the
/// build ends just as somebody presses the button.
void write_actions(Html& html, const View& view) {
  const std::int64_t number = view.details.build.id.value;
  const bool finished = view.details.build.state == model::BuildState::finished;
  if (view.may_act && finished) {
    html.markup("<form class=\"actions\" id=\"retry\" method=\"post\" action=\"/build/").number(number);
    html.markup("/retry\"><button>Retry this build</button></form>\n");
  } else if (view.may_act) {
    html.markup("<form class=\"actions\" id=\"cancel\" method=\"post\" action=\"/build/").number(number);
    html.markup("/cancel\"><button class=\"danger\">Cancel this build</button></form>\n");
  } else if (view.unknown) {
    html.markup("<p class=\"actions\"><a href=\"/login?next=/build/").number(number).markup("\">Sign in to ");
    html.markup(finished ? Html::Literal("retry") : Html::Literal("cancel")).markup(" this build</a></p>\n");
  }
}

void write_failure(Html& html, const StepLog& failure, const View& view) {
  const model::Build& build = view.details.build;
  html.markup("<section class=\"failure\" id=\"failure\">\n<h2>Step ").text(failure.step.name);
  html.markup(": ").text(failure.step.status.empty() ? "failed" : failure.step.status).markup("</h2>\n");
  // Usually the build's sentence says just what the heading does.
  if (build.why.find(failure.step.status) == std::string::npos) html.markup("<p>").text(build.why).markup("</p>\n");
  if (failure.tail.bytes.empty()) {
    html.markup("<p class=\"empty\">It printed nothing.</p>\n");
  } else {
    // The lines are further down again, unless so much came after them that they are not.
    const auto below = std::find_if(view.steps.begin(), view.steps.end(),
                                    [&failure](const StepLog& entry) { return entry.step.run == failure.step.run; });
    const bool shown = below != view.steps.end() && view.with_logs && below->tail.begin <= failure.tail.begin;
    LineNames names = line_names(failure);
    names.ids = LineNames::Ids::no;
    if (!shown && view.with_logs) names.page = log_path(failure.step, failure.line);
    html.markup("<pre class=\"log\" tabindex=\"0\" role=\"group\" aria-label=\"The failing step's last lines\">");
    write_log_lines(html, failure.tail.bytes, names);
    html.markup("</pre>\n");
  }
  html.markup("</section>\n");
}

void write_attempts(Html& html, const View& view) {
  if (view.details.attempts.empty()) return;
  html.markup("<section id=\"attempts\">\n<h2>Attempts</h2>\n");
  open_table(html, "Attempts", {"Attempt", "Ended", "Worker", "Began", "Took", "Why", "Logs"});
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
      html.markup("<a href=\"").text(log_path(step, 1)).markup("\">").text(step.name).markup("</a> ");
    }
    html.markup("</td></tr>\n");
  }
  close_table(html);
  html.markup("</section>\n");
}

/// Results that were cleared so that it builds again.
void write_cleared(Html& html, const View& view) {
  if (view.details.cleared.empty()) return;
  html.markup("<section id=\"cleared\">\n<h2>Earlier results</h2>\n");
  open_table(html, "Earlier results", {"Result", "Attempts", "Finished", "Why", "Cleared"});
  for (const model::ClearedResult& cleared : view.details.cleared) {
    html.markup("<tr><th scope=\"row\">");
    write_mark(html, mark_of(cleared.result));
    html.markup("</th><td>up to ").number(cleared.attempts).markup("</td><td>");
    write_age(html, cleared.finished, view.now);
    html.markup("</td><td>").text(cleared.why).markup("</td><td>");
    write_age(html, cleared.cleared, view.now);
    html.markup(" by ").text(clipped(cleared.cleared_by, 80)).markup("</td></tr>\n");
  }
  close_table(html);
  html.markup("</section>\n");
}

/// What the script keeps as it is once it is in the page: it writes on by itself behind data-offset.
void write_output(Html& html, const StepLog& entry) {
  const LogTail& tail = entry.tail;
  const bool running = entry.step.outcome == model::AttemptOutcome::running;
  html.markup("<div class=\"output\" data-keep=\"\" id=\"output-").number(entry.step.attempt).markup("-");
  html.number(entry.step.index).markup("\">\n");
  if (!tail.found && !running) {
    html.markup("<p class=\"empty\">There is no log of this step.</p>\n</div>\n");
    return;
  }
  if (tail.begin > 0) {
    html.markup("<p class=\"gap\">").text(size_text(tail.begin)).markup(" of output come before line ");
    html.text(count_text(entry.line)).markup(": <a href=\"").text(log_path(entry.step, 1));
    html.markup("\">read all of it page by page</a> or <a href=\"").text(run_log_path(entry.step.run));
    html.markup("\">as plain text</a>.</p>\n");
  }
  html.markup("<pre class=\"log\" tabindex=\"0\" role=\"group\" aria-label=\"Output of ").text(entry.step.name);
  html.markup("\" data-run=\"").text(entry.step.run.value).markup("\" data-lines=\"");
  html.text(line_names(entry).prefix).markup("\" data-offset=\"");
  html.number(static_cast<std::int64_t>(tail.begin + tail.bytes.size())).markup("\"");
  if (running) html.markup(" data-live=\"\"");
  html.markup(">");
  write_log_lines(html, tail.bytes, line_names(entry));
  html.markup("</pre>\n</div>\n");
}

void write_step(Html& html, const View& view, const StepLog& entry, bool open) {
  const Mark mark = mark_of(entry.step.outcome);
  html.markup("<details class=\"step\" id=\"step-").number(entry.step.attempt).markup("-");
  html.number(entry.step.index).markup("\"");
  if (open) html.markup(" open");
  html.markup(">\n<summary><span class=\"name\">").text(entry.step.name).markup("</span> <span class=\"mark ");
  html.text(word_of(mark)).markup("\">");
  html.text(mark == Mark::running || entry.step.status.empty() ? word_of(mark) : entry.step.status);
  html.markup("</span> <span class=\"took\">");
  write_took(html, entry.step.started, entry.step.ended, view.now);
  html.markup("</span></summary>\n");
  if (!entry.step.command.empty())
    html.markup("<pre class=\"command\"><code>").text(entry.step.command).markup("</code></pre>\n");
  // Without its log, this one is only there to be compared with what the script has.
  StepLog bare{.step = entry.step, .tail = {}};
  bare.tail.found = entry.tail.found;
  write_output(html, view.with_logs ? entry : bare);
  html.markup("</details>\n");
}

void write_steps(Html& html, const View& view) {
  if (view.steps.empty()) return;
  html.markup("<section id=\"log\">\n<h2>Log</h2>\n<p class=\"aside\">");
  if (view.details.attempts.size() > 1)
    html.markup("Of attempt ").number(view.details.attempts.back().number).markup(". ");
  html.markup("<a href=\"/api/v1/builds/").number(view.details.build.id.value);
  html.markup("/log\">Everything as plain text</a></p>\n");
  for (const StepLog& entry : view.steps) {
    const bool open = mark_of(entry.step.outcome) != Mark::ok || &entry == &view.steps.back();
    write_step(html, view, entry, open);
  }
  html.markup("</section>\n");
}

}  // namespace

io::Task<Answer> build_page(const SiteSources& sources, livelog::LineIndex& lines, const net::Request& request) {
  View view;
  std::string id = request.path_param("id");
  view.details = co_await find_build(sources, std::move(id));
  view.with_logs = request.query().get("logs") != "0";
  view.may_act = request.may_act();
  view.unknown = request.user().empty();
  view.waiting = sources.farm.explain(view.details.build.id);
  view.away = sources.farm.away(view.details.build.id);
  co_await load_logs(sources.logs, lines, view);
  view.now = sources.clock.wall_now();

  const model::Build& build = view.details.build;
  const std::string number = std::to_string(build.id.value);
  Frame frame;
  frame.title = std::string(word_of(mark_of(build))) + " \xC2\xB7 build " + number + " \xC2\xB7 " +
                build.repository.value + " on " + build.builder.value;
  frame.json_path = "/api/v1/builds/" + number;
  if (build.state != model::BuildState::finished) {
    frame.refresh_seconds = 5;
    frame.events_path = "/api/v1/builds/" + number + "/events?from=" + view.position;
  }
  Html main;
  write_crumbs(main, build);
  write_title(main, view);
  write_facts(main, view);
  write_actions(main, view);
  if (view.failure) write_failure(main, *view.failure, view);
  write_attempts(main, view);
  write_cleared(main, view);
  write_steps(main, view);
  co_return Answer{200, kHtmlType, write_page(sources.farm, view.now, frame, main)};
}

}  // namespace build::web
