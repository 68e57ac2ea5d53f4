#include <maintner/query.h>

#include <algorithm>

#include "layout.h"

namespace maintner::web {

namespace {

constexpr std::size_t kChangesPerPage = 50;

struct ChangeFilter {
  std::string state, status;
  ChangeQuery query;
};

bool is_open(ChangeStatus status) { return status == ChangeStatus::new_ || status == ChangeStatus::draft; }

ChangeFilter change_filter(const Asked& asked) {
  ChangeFilter filter;
  filter.state = state_of(asked);
  filter.status = value_of(asked, "status");
  filter.query.status = std::nullopt;
  if (!filter.status.empty()) {
    for (const ChangeStatus status :
         {ChangeStatus::new_, ChangeStatus::merged, ChangeStatus::abandoned, ChangeStatus::draft})
      if (name_of(status) == filter.status) filter.query.status = status;
    if (!filter.query.status) throw Refusal(400, "status must be new, merged, abandoned or draft.");
    // Who asks for merged ones does not mean open ones.
    if (!asked.query.has("state")) filter.state = "all";
  }
  filter.query.owner = value_of(asked, "owner");
  filter.query.branch = value_of(asked, "branch");
  filter.query.hashtag = value_of(asked, "hashtag");
  filter.query.reviewer = value_of(asked, "reviewer");
  return filter;
}

std::vector<std::string> branches_of(const Project& project) {
  constexpr std::string_view kHeads = "refs/heads/";
  constexpr std::size_t kMost = 200;
  std::vector<std::string> branches;
  for (const NamedCommit& ref : project.refs()) {
    if (!ref.name.starts_with(kHeads)) continue;
    branches.emplace_back(ref.name.substr(kHeads.size()));
    if (branches.size() == kMost) break;
  }
  return branches;
}

void write_change_filter(Html& html, const Asked& asked, const Project& project, const ChangeFilter& filter) {
  html.markup("<form class=\"filter\" method=\"get\">");
  write_choice(html, "Status", "status", filter.status,
               {{"", "any"}, {"new", "new"}, {"merged", "merged"}, {"abandoned", "abandoned"}, {"draft", "draft"}});
  write_input(html, "Owner", "owner", filter.query.owner);
  write_input(html, "Branch", "branch", filter.query.branch, branches_of(project));
  write_input(html, "Hashtag", "hashtag", filter.query.hashtag);
  write_input(html, "Reviewer", "reviewer", filter.query.reviewer);
  html.markup("<button>Filter</button>");
  if (asked.query.size() > 0) html.markup("<a href=\"").text(asked.address).markup("\">Show all open</a>");
  html.markup(
      "</form>\n<p class=\"gap\">People are given as a name, an e-mail address or the number of an account.</p>\n");
}

void write_change_row(Html& html, const Context& context, const Change& change) {
  html.markup("<tr><th scope=\"row\"><a href=\"").text(path_of(change)).markup("\">").number(change.number());
  html.markup("</a></th><td class=\"subject-cell\"><a class=\"title\" href=\"").text(path_of(change)).markup("\">");
  const std::string subject = change.subject();
  html.text(subject.empty() ? std::string_view("(no subject)") : std::string_view(subject)).markup("</a>");
  write_hashtags(html, change.project(), change.hashtags());
  html.markup("</td><td>");
  write_state(html, state_name(change.status()));
  if (change.work_in_progress() && is_open(change.status())) html.markup(" <span class=\"by\">in progress</span>");
  html.markup("</td><td>");
  const auto owner = change.owner();
  write_person(html, context, owner ? owner->person : change.created().person);
  html.markup("</td><td>").text(change.branch()).markup("</td><td class=\"day\">");
  write_day(html, time_of(change.created()));
  html.markup("</td><td class=\"day\">");
  write_day(html, time_of(change.meta().commit().committer()));
  html.markup("</td></tr>\n");
}

}  // namespace

Answer changes_page(const Context& context, const Asked& asked, const Project& project) {
  const ChangeFilter filter = change_filter(asked);
  std::vector<Change> all = find_changes(project, filter.query);
  const std::size_t found = all.size();
  const std::size_t open = keep_state(all, filter.state, [](const Change& change) { return is_open(change.status()); });
  const std::size_t closed = found - open;
  const Slice slice = slice_of(asked, all.size(), kChangesPerPage);

  const std::string name(project.full_name());
  Html html;
  write_crumbs(html, {{"Projects", "/"}, {name, ""}});
  html.markup("<h1>").text(name).markup("</h1>\n");
  write_states(html, asked, filter.state, open, closed);
  write_change_filter(html, asked, project, filter);
  write_paging(html, asked, slice, "changes");
  if (slice.begin < slice.end) {
    open_table(html, "Changes", {"CL", "Subject", "Status", "Owner", "Branch", "Created", "Updated"});
    for (std::size_t i = slice.begin; i < slice.end; ++i) write_change_row(html, context, all[all.size() - 1 - i]);
    close_table(html);
    write_paging(html, asked, slice, "changes");
  }
  return write_page(context, {.section = Section::corpus, .title = name + " \xC2\xB7 changes", .live = Live::list},
                    html);
}

}  // namespace maintner::web
