#include <maintner/query.h>

#include <algorithm>

#include "layout.h"

namespace maintner::web {

using build::html::clipped;
using build::html::count_text;

namespace {

constexpr std::size_t kMostPeople = 100, kMostThings = 30;

void write_user_table(Html& html, const std::vector<UserCounts>& users) {
  open_table(
      html, "People at GitHub",
      {"Login", {"Issues", kNumbers}, {"Pull requests", kNumbers}, {"Comments", kNumbers}, {"Assigned", kNumbers}});
  for (std::size_t i = 0; i < std::min(users.size(), kMostPeople); ++i) {
    const UserCounts& user = users[i];
    html.markup("<tr><th scope=\"row\"><a href=\"").text(path_of_person(user.login)).markup("\">").text(user.login);
    html.markup("</a></th>");
    for (const std::size_t count : {user.issues, user.pulls, user.comments, user.assigned})
      html.markup("<td class=\"count\">").text(count_text(count)).markup("</td>");
    html.markup("</tr>\n");
  }
  close_table(html);
}

void write_author_table(Html& html, const std::vector<AuthorCounts>& authors) {
  open_table(html, "People in git and Gerrit", {"Name", {"Commits", kNumbers}, {"Changes", kNumbers}});
  for (std::size_t i = 0; i < std::min(authors.size(), kMostPeople); ++i) {
    const AuthorCounts& author = authors[i];
    html.markup("<tr><th scope=\"row\"><a href=\"")
        .text(path_of_person(author.email.empty() ? author.name : author.email));
    html.markup("\">").text(author.name.empty() ? author.email : author.name).markup("</a> <span class=\"by\">");
    html.text(author.email).markup("</span></th>");
    for (const std::size_t count : {author.commits, author.changes})
      html.markup("<td class=\"count\">").text(count_text(count)).markup("</td>");
    html.markup("</tr>\n");
  }
  close_table(html);
}

void write_most(Html& html, std::size_t all) {
  if (all > kMostPeople)
    html.markup("<p class=\"gap\">The first ")
        .text(count_text(kMostPeople))
        .markup(" of ")
        .text(count_text(all))
        .markup("</p>\n");
}

/// The newest of some things, in a list with a heading that says how many there are.
template <class Thing, class Write>
void write_things(Html& html, std::string_view heading, const std::vector<Thing>& newest, std::size_t all,
                  Write write) {
  html.markup("<section><h2>")
      .text(heading)
      .markup(" <span class=\"slash\">")
      .text(count_text(all))
      .markup("</span></h2>\n");
  html.markup("<ul class=\"plain things\">");
  for (const Thing& thing : newest) {
    html.markup("<li>");
    write(thing);
    html.markup("</li>\n");
  }
  html.markup("</ul>\n</section>\n");
}

class PersonWriter {
 public:
  PersonWriter(const Context& context, const std::string& who) : context_(context), who_(who) {}

  /// Whether there is anything.
  bool write() {
    if (const auto user = find_user(context_.view, who_)) {
      known_ = true;
      issues("Opened", {.closed = std::nullopt, .author = who_});
      issues("Assigned", {.closed = std::nullopt, .assignee = who_});
      comments(*user);
    }
    changes();
    commits();
    return known_;
  }
  const Html& html() const { return html_; }

 private:
  void issues(std::string_view heading, const IssueQuery& query) {
    std::vector<Issue> all;
    for (const Repo& repo : context_.view.github().repos()) {
      const std::vector<Issue> found = find_issues(repo, query);
      all.insert(all.end(), found.begin(), found.end());
    }
    if (all.empty()) return;
    const std::size_t total = all.size();
    keep_newest(all, [](const Issue& issue) { return issue.created().value_or(Time{}); });
    write_things(html_, heading, all, total, [&](const Issue& issue) {
      write_state(html_, state_name(issue));
      html_.markup(" <a href=\"").text(path_of(issue)).markup("\">").text(issue.repo().id()).markup("#");
      html_.number(issue.number()).markup("</a> ").text(clipped(issue.title(), 120)).markup(" <span class=\"by\">");
      write_day(html_, issue.created());
      html_.markup("</span>");
    });
  }

  void comments(const User& user) {
    const auto [newest, all] = context_.catalog.comments_by(user.id(), kMostThings);
    if (all == 0 && context_.catalog.mutations() == context_.view.mutations()) return;
    write_things(html_, "Comments", newest, all, [&](const CommentPlace& place) { comment(place); });
    write_lag(html_, context_);
  }

  void comment(const CommentPlace& place) {
    const std::string path = "/" + io::percent_encode(place.owner) + "/" + io::percent_encode(place.repo) + "/" +
                             std::to_string(place.issue) + "?comment=" + std::to_string(place.id) + "#comment-" +
                             std::to_string(place.id);
    html_.markup("<a href=\"").text(path).markup("\">").text(place.owner).markup("/").text(place.repo).markup("#");
    html_.number(place.issue).markup("</a> ");
    const auto repo = context_.view.github().repo(place.owner, place.repo);
    const auto issue = repo ? repo->issue(place.issue) : std::nullopt;
    if (issue) html_.text(clipped(issue->title(), 120));
    html_.markup(" <span class=\"by\">");
    write_day(html_, Time{place.seconds, 0});
    html_.markup("</span>");
  }

  void changes() {
    std::vector<Change> all;
    for (const Project& project : context_.view.gerrit().projects()) {
      const std::vector<Change> found = find_changes(project, {.status = std::nullopt, .owner = who_});
      all.insert(all.end(), found.begin(), found.end());
    }
    if (all.empty()) return;
    known_ = true;
    const std::size_t total = all.size();
    keep_newest(all, [](const Change& change) { return time_of(change.created()); });
    write_things(html_, "Changes", all, total, [&](const Change& change) {
      write_state(html_, state_name(change.status()));
      html_.markup(" <a href=\"").text(path_of(change)).markup("\">").text(change.project().name()).markup(" CL ");
      html_.number(change.number()).markup("</a> ").text(clipped(change.subject(), 120)).markup(" <span class=\"by\">");
      write_day(html_, time_of(change.created()));
      html_.markup("</span>");
    });
  }

  void commits() {
    // Of all that somebody has, only so many are counted.
    constexpr std::size_t kMostCounted = 100'000;
    std::vector<Commit> all = find_commits(context_.view, {.author = who_, .limit = kMostCounted});
    if (all.empty()) return;
    known_ = true;
    const std::size_t total = all.size();
    if (all.size() > kMostThings) all.erase(all.begin() + kMostThings, all.end());
    write_things(html_, "Commits", all, total, [&](const Commit& commit) {
      write_commit(html_, commit);
      html_.markup(" ").text(clipped(commit.summary(), 120)).markup(" <span class=\"by\">");
      write_day(html_, time_of(commit.committer()));
      html_.markup("</span>");
    });
  }

  template <class Thing>
  static void keep_newest(std::vector<Thing>& things, auto time) {
    std::vector<std::pair<Time, std::size_t>> order;
    for (std::size_t i = 0; i < things.size(); ++i) order.emplace_back(time(things[i]), i);
    const std::size_t kept = std::min(order.size(), kMostThings);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      [](const auto& a, const auto& b) { return b < a; });
    std::vector<Thing> newest;
    for (std::size_t i = 0; i < kept; ++i) newest.push_back(things[order[i].second]);
    things = std::move(newest);
  }

  const Context& context_;
  const std::string& who_;
  Html html_;
  bool known_ = false;
};

}  // namespace

Answer people_page(const Context& context, const Asked& asked) {
  const std::string who = value_of(asked, "who");
  if (!who.empty()) return {.status = 302, .location = path_of_person(who)};
  Html html;
  html.markup("<h1>People</h1>\n<form class=\"filter\" method=\"get\"><label>A login, a name or an e-mail address");
  html.markup("<input name=\"who\" maxlength=\"200\"></label><button>Show</button></form>\n");
  write_lag(html, context);
  if (const auto counts = context.catalog.counts()) {
    html.markup("<div class=\"halves\">\n<section><h2>At GitHub</h2>\n");
    write_user_table(html, counts->users);
    write_most(html, counts->users.size());
    html.markup("</section>\n<section><h2>In git and Gerrit</h2>\n");
    write_author_table(html, counts->authors);
    write_most(html, counts->authors.size());
    html.markup("</section>\n</div>\n");
  }
  return write_page(context, {.section = Section::people, .title = "People", .live = Live::list}, html);
}

Answer person_page(const Context& context, const std::string& who) {
  if (who.empty() || who.size() > kMaxValueLength) throw Refusal(404, "There is nobody of that name here.");
  PersonWriter person(context, who);
  if (!person.write()) throw Refusal(404, "There is nobody called \"" + clipped(who, 100) + "\" here.");
  Html html;
  write_crumbs(html, {{"People", "/-/people"}, {who, ""}});
  const std::int64_t account = build::html::parse_number(who, INT64_MAX).value_or(-1);
  const std::string name = account < 0 ? std::string() : context.catalog.account_name(account);
  html.markup("<h1>").text(name.empty() ? who : name).markup("</h1>\n<p class=\"gap\">The newest ");
  html.text(count_text(kMostThings))
      .markup(" of each kind. A login of GitHub\xE2\x80\x99s and a name in git are told apart: ");
  html.markup("the corpus does not say who is who.</p>\n<div class=\"halves\">\n")
      .part(person.html())
      .markup("</div>\n");
  return write_page(context, {.section = Section::people, .title = who, .live = Live::list}, html);
}

}  // namespace maintner::web
