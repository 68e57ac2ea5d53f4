#include <maintner/query.h>

#include <algorithm>

#include "layout.h"

namespace maintner::web {

namespace {

constexpr std::size_t kIssuesPerPage = 50, kMaxLabels = 10, kMaxOptions = 400;

struct IssueFilter {
  std::string state, kind;
  IssueQuery query;
};

IssueFilter issue_filter(const Asked& asked) {
  IssueFilter filter;
  filter.state = state_of(asked);
  filter.kind = value_of(asked, "kind");
  if (filter.kind.empty()) filter.kind = "issues";
  if (filter.kind != "issues" && filter.kind != "pulls" && filter.kind != "all")
    throw Refusal(400, "kind must be issues, pulls or all.");
  filter.query.closed = std::nullopt;
  if (filter.kind != "all") filter.query.pull_request = filter.kind == "pulls";
  for (const std::string& label : asked.query.all("label")) {
    if (label.empty()) continue;
    if (label.size() > kMaxValueLength) throw Refusal(400, "label is longer than 200 bytes.");
    if (filter.query.labels.size() == kMaxLabels) throw Refusal(400, "There are more than 10 labels.");
    filter.query.labels.push_back(label);
  }
  filter.query.milestone = value_of(asked, "milestone");
  filter.query.assignee = value_of(asked, "assignee");
  filter.query.author = value_of(asked, "author");
  return filter;
}

template <class Names>
std::vector<std::string> sorted_options(const Names& things, auto name) {
  std::vector<std::string> options;
  for (const auto& thing : things) options.emplace_back(name(thing));
  std::sort(options.begin(), options.end());
  options.erase(std::unique(options.begin(), options.end()), options.end());
  if (options.size() > kMaxOptions) options.resize(kMaxOptions);
  return options;
}

void write_issue_filter(Html& html, const Asked& asked, const Repo& repo, const IssueFilter& filter) {
  html.markup("<form class=\"filter\" method=\"get\">");
  write_choice(html, "Kind", "kind", filter.kind, {{"issues", "issues"}, {"pulls", "pull requests"}, {"all", "both"}});
  const auto labels = sorted_options(repo.labels(), [](const Label& label) { return label.name(); });
  const std::size_t fields = std::max<std::size_t>(1, filter.query.labels.size());
  for (std::size_t i = 0; i < fields; ++i)
    write_input(html, "Label", "label", filter.query.labels.empty() ? "" : filter.query.labels[i],
                i == 0 ? labels : std::vector<std::string>());
  write_input(html, "Milestone", "milestone", filter.query.milestone,
              sorted_options(repo.milestones(), [](const Milestone& milestone) { return milestone.title(); }));
  write_input(html, "Assignee", "assignee", filter.query.assignee);
  write_input(html, "Author", "author", filter.query.author);
  if (filter.state != "open")
    html.markup("<input type=\"hidden\" name=\"state\" value=\"").text(filter.state).markup("\">");
  html.markup("<button>Filter</button>");
  if (asked.query.size() > 0) html.markup("<a href=\"").text(asked.address).markup("\">Show all open</a>");
  html.markup("</form>\n");
}

void write_issue_row(Html& html, const Issue& issue) {
  html.markup("<tr><th scope=\"row\"><a href=\"").text(path_of(issue)).markup("\">#").number(issue.number());
  html.markup("</a></th><td class=\"subject-cell\"><a class=\"title\" href=\"").text(path_of(issue)).markup("\">");
  html.text(issue.title().empty() ? std::string_view("(no title)") : issue.title()).markup("</a>");
  for (const Label& label : issue.labels()) {
    html.markup(" ");
    write_label(html, issue.repo(), label.name());
  }
  if (const auto milestone = issue.milestone())
    html.markup(" <span class=\"by\">").text(milestone->title()).markup("</span>");
  html.markup("</td><td>");
  write_state(html, state_name(issue));
  if (issue.pull_request()) html.markup(" <span class=\"by\">pull request</span>");
  html.markup("</td><td>");
  write_user(html, issue.user());
  html.markup("</td><td class=\"day\">");
  write_day(html, issue.created());
  html.markup("</td><td class=\"day\">");
  write_day(html, issue.updated());
  html.markup("</td><td class=\"count\">").number(static_cast<std::int64_t>(issue.comments().size()));
  html.markup("</td></tr>\n");
}

}  // namespace

Answer issues_page(const Context& context, const Asked& asked, const Repo& repo) {
  const IssueFilter filter = issue_filter(asked);
  std::vector<Issue> all = find_issues(repo, filter.query);
  const std::size_t found = all.size();
  const std::size_t open = keep_state(all, filter.state, [](const Issue& issue) { return !issue.closed(); });
  const std::size_t closed = found - open;
  const Slice slice = slice_of(asked, all.size(), kIssuesPerPage);

  Html html;
  write_crumbs(html, {{"Projects", "/"}, {repo.id(), ""}});
  html.markup("<h1>").text(repo.id()).markup("</h1>\n");
  write_states(html, asked, filter.state, open, closed);
  write_issue_filter(html, asked, repo, filter);
  write_paging(html, asked, slice, filter.kind == "pulls" ? "pull requests" : "issues");
  if (slice.begin < slice.end) {
    open_table(html, "Issues", {"#", "Title", "State", "Author", "Opened", "Updated", {"Comments", kNumbers}});
    // They come by number; the newest are to be first.
    for (std::size_t i = slice.begin; i < slice.end; ++i) write_issue_row(html, all[all.size() - 1 - i]);
    close_table(html);
    write_paging(html, asked, slice, filter.kind == "pulls" ? "pull requests" : "issues");
  }
  return write_page(context, {.section = Section::corpus, .title = repo.id() + " \xC2\xB7 issues", .live = Live::list},
                    html);
}

}  // namespace maintner::web
