#include <algorithm>
#include <limits>
#include <span>

#include "layout.h"
#include "page.h"

namespace maintner::web {

namespace {

constexpr std::string_view kGoogleSource = ".googlesource.com";
using Path = std::span<const std::string>;

[[noreturn]] void refuse_unknown() { throw Refusal(404, "There is nothing here."); }

std::int32_t number_in(const std::string& text) {
  const auto number = build::html::parse_number(text, std::numeric_limits<std::int32_t>::max());
  if (!number || *number < 1 || text.front() == '0') refuse_unknown();
  return static_cast<std::int32_t>(*number);
}

Answer github_route(const Context& context, const Asked& asked, Path path) {
  const std::string name = path[0] + "/" + path[1];
  const auto repo = context.view.github().repo(path[0], path[1]);
  if (!repo) throw Refusal(404, "GitHub repository \"" + build::html::clipped(name, 200) + "\" not found");
  if (path.size() == 2) return issues_page(context, asked, *repo);
  if (path.size() > 3) refuse_unknown();
  const std::int32_t number = number_in(path[2]);
  const auto issue = repo->issue(number);
  if (!issue || issue->not_exist())
    throw Refusal(404, "Issue " + std::to_string(number) + " of " + repo->id() + " not found");
  return issue_page(context, asked, *issue);
}

std::int32_t patch_set_of(const Change& change, const std::string& hash) {
  for (std::int32_t number = change.version(); number >= 1; --number) {
    const auto commit = change.commit_at(number);
    if (commit && commit->hex() == hash) return number;
  }
  throw Refusal(404, "Change " + std::to_string(change.number()) + " has no patch set \"" +
                         build::html::clipped(hash, 60) + "\".");
}

Answer change_route(const Context& context, const Change& change, Path rest) {
  if (rest.empty()) return change_page(context, change, ChangeTab::discussion, 0);
  if (rest.size() == 1 && rest[0] == "commits") return change_page(context, change, ChangeTab::patch_sets, 0);
  if (rest[0] != "files" || rest.size() > 2) refuse_unknown();
  const std::int32_t patch_set = rest.size() == 2 ? patch_set_of(change, rest[1]) : change.version();
  return change_page(context, change, ChangeTab::files, patch_set);
}

Answer gerrit_route(const Context& context, const Asked& asked, Path path) {
  const auto project = context.view.gerrit().project(path[0], path[1]);
  if (!project)
    throw Refusal(404, "Gerrit project \"" + build::html::clipped(path[0] + "/" + path[1], 200) + "\" not found");
  if (path.size() == 2) return changes_page(context, asked, *project);
  const std::int32_t number = number_in(path[2]);
  const auto change = project->change(number);
  if (!change || change->is_private())
    throw Refusal(404, "Change " + std::to_string(number) + " of " + std::string(project->full_name()) + " not found");
  return change_route(context, *change, path.subspan(3));
}

/// What the original does not have: below "/-/", which is the name of nobody at GitHub.
Answer own_route(const Context& context, const Asked& asked, Path path) {
  if (path.empty()) refuse_unknown();
  const std::string& name = path[0];
  if (name == "gerrit" && path.size() >= 3) return gerrit_route(context, asked, path.subspan(1));
  if (name == "commit" && path.size() == 2) return commit_page(context, path[1]);
  if (name == "people" && path.size() == 2) return person_page(context, path[1]);
  if (path.size() != 1) refuse_unknown();
  if (name == "people") return people_page(context, asked);
  if (name == "search") return search_page(context, asked);
  if (name == "sql") return sql_page(context, asked);
  refuse_unknown();
}

}  // namespace

Kind kind_of(const Asked& asked) {
  if (asked.path.size() != 2 || asked.path[0] != "-") return Kind::plain;
  if (asked.path[1] == "search" && asked.query.has("q")) return Kind::search;
  return asked.path[1] == "sql" && (asked.query.has("q") || asked.query.has("saved")) ? Kind::sql : Kind::plain;
}

Answer make_page(const Context& context, const Asked& asked) {
  const Path path(asked.path);
  if (path.empty()) return front_page(context, asked);
  if (asked.slash)
    return {.status = 302, .location = asked.address + (asked.raw_query.empty() ? "" : "?" + asked.query.encode())};
  if (path[0] == "-") return own_route(context, asked, path.subspan(1));
  if (path.size() < 2) refuse_unknown();
  return path[0].ends_with(kGoogleSource) ? gerrit_route(context, asked, path) : github_route(context, asked, path);
}

Answer error_page(const View& view, int status, const std::string& sentence) {
  Html html;
  html.markup("<h1>").number(status).markup("</h1>\n<p class=\"lead\">").text(build::html::clipped(sentence, 1000));
  html.markup("</p>\n<p><a href=\"/\">To the projects</a></p>\n");
  return write_error(view, status, html);
}

}  // namespace maintner::web
