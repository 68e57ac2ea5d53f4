#include <algorithm>
#include <tuple>
#include <variant>

#include "layout.h"
#include "markdown.h"

namespace maintner::web {

using build::html::count_text;

namespace {

constexpr std::size_t kItemsPerPage = 200;
constexpr std::size_t kMaxPageMarkdown = 2 << 20;  ///< bytes of texts on a page that are taken as Markdown

/// Something that happened: which of an issue's comments, reviews or events.
struct Item {
  enum class Kind { comment, review, event };
  Time time;
  Kind kind = Kind::comment;
  std::size_t index = 0;
};

std::vector<Item> timeline_of(const Issue& issue) {
  std::vector<Item> items;
  const auto add = [&items](Item::Kind kind, const auto& things) {
    Time last;
    for (std::size_t i = 0; i < things.size(); ++i) {
      // What has no time stands behind the one before it.
      last = things[i].has_value() ? *things[i] : last;
      items.push_back({last, kind, i});
    }
  };
  const auto times_of = [](const auto& things, auto time) {
    std::vector<std::optional<Time>> times;
    for (const auto& thing : things) times.push_back(time(thing));
    return times;
  };
  add(Item::Kind::comment, times_of(issue.comments(), [](const Comment& comment) { return comment.created; }));
  add(Item::Kind::review, times_of(issue.reviews(), [](const Review& review) { return review.created(); }));
  add(Item::Kind::event, times_of(issue.events(), [](const Event& event) { return event.created(); }));
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return std::tie(a.time, a.kind) < std::tie(b.time, b.kind); });
  return items;
}

/// What an event says behind who did it.
class EventSentence {
 public:
  EventSentence(Html& html, const Context& context, const Repo& repo, const Event& event)
      : html_(html), context_(context), repo_(repo), event_(event) {}

  void write() {
    const std::string_view type = event_.type();
    if (type == "labeled" || type == "unlabeled") {
      html_.markup(type == "labeled" ? Html::Literal("added the label ") : Html::Literal("removed the label "));
      write_label(html_, repo_, event_.label());
    } else if (type == "milestoned" || type == "demilestoned") {
      html_.markup(type == "milestoned" ? Html::Literal("added this to ") : Html::Literal("removed this from "));
      html_.markup("<b>").text(event_.milestone()).markup("</b>");
    } else if (type == "renamed") {
      html_.markup("changed the title from <del>").text(event_.from()).markup("</del> to <b>").text(event_.to());
      html_.markup("</b>");
    } else if (type == "assigned" || type == "unassigned") {
      html_.markup(type == "assigned" ? Html::Literal("assigned ") : Html::Literal("unassigned "));
      write_user(html_, event_.assignee());
    } else if (type == "review_requested" || type == "review_request_removed") {
      request(type == "review_requested");
    } else {
      other(type);
    }
  }

 private:
  void request(bool wanted) {
    html_.markup(wanted ? Html::Literal("asked for a review by ") : Html::Literal("no longer asks for a review by "));
    if (const auto team = event_.team_reviewer())
      html_.markup("<b>").text(team->slug()).markup("</b>");
    else
      write_user(html_, event_.reviewer());
  }

  void other(std::string_view type) {
    if (type == "closed" || type == "reopened" || type == "locked" || type == "unlocked" || type == "merged")
      html_.text(type).markup(" this");
    else if (type == "referenced")
      html_.markup("referred to this");
    else if (type == "mentioned" || type == "subscribed")
      html_.markup("was ").text(type);
    else if (type == "head_ref_deleted" || type == "head_ref_restored")
      html_.text(type == "head_ref_deleted" ? "deleted" : "restored").markup(" the branch");
    else
      html_.markup("did: ").text(type);
    commit();
  }

  void commit() {
    const std::string_view hash = event_.commit_id();
    if (hash.empty()) return;
    html_.markup(" in ");
    const auto commit = context_.view.commit(hash);
    if (commit && !commit->is_placeholder()) {
      write_commit(html_, *commit);
      html_.markup(" ").text(build::html::clipped(commit->summary(), 100));
      return;
    }
    const std::string url = event_.commit_url();
    if (is_web_address(url))
      write_link(html_, context_, url, hash.substr(0, 10));
    else
      html_.markup("<code>").text(hash.substr(0, 10)).markup("</code>");
  }

  Html& html_;
  const Context& context_;
  const Repo& repo_;
  const Event& event_;
};

class IssueWriter {
 public:
  IssueWriter(const Context& context, const Issue& issue)
      : context_(context), issue_(issue), repo_(issue.repo()), around_{.repo = repo_} {}

  Html write(const Asked& asked) {
    head();
    const std::vector<Item> items = timeline_of(issue_);
    const Slice slice = slice_of(asked, items.size(), kItemsPerPage);
    html_.markup("<div class=\"thread\">\n<div class=\"posts\">\n");
    if (slice.page == 1) post("issue", issue_.user(), issue_.created(), issue_.body(), "opened this");
    if (slice.pages > 1) write_paging(html_, asked, slice, "things that happened");
    for (std::size_t i = slice.begin; i < slice.end; ++i) write_item(items[i]);
    if (slice.pages > 1) write_paging(html_, asked, slice, "things that happened");
    html_.markup("<p class=\"soft\"><a rel=\"noopener noreferrer\" href=\"https://github.com").text(path_of(repo_));
    html_.text(issue_.pull_request() ? "/pull/" : "/issues/").number(issue_.number());
    html_.markup("\">Answer at GitHub</a></p>\n</div>\n");
    aside();
    html_.markup("</div>\n");
    return std::move(html_);
  }

 private:
  void head() {
    write_crumbs(html_, {{"Projects", "/"}, {repo_.id(), path_of(repo_)}, {"#" + std::to_string(issue_.number()), ""}});
    html_.markup("<h1 class=\"subject\">")
        .text(issue_.title().empty() ? std::string_view("(no title)") : issue_.title());
    html_.markup(" <span class=\"slash\">#").number(issue_.number()).markup("</span></h1>\n<p class=\"lead\">");
    write_state(html_, state_name(issue_));
    html_.markup(issue_.pull_request() ? Html::Literal(" pull request, opened ") : Html::Literal(" opened "));
    write_minute(html_, issue_.created());
    html_.markup(" by ");
    write_user(html_, issue_.user());
    if (issue_.closed()) {
      html_.markup(", closed ");
      write_minute(html_, issue_.closed_at());
      if (issue_.closed_by()) {
        html_.markup(" by ");
        write_user(html_, issue_.closed_by());
      }
    }
    html_.markup(" \xC2\xB7 ").text(count_text(issue_.comments().size())).markup(" comments");
    if (issue_.locked()) html_.markup(" \xC2\xB7 locked");
    html_.markup("</p>\n");
  }

  void post(std::string_view anchor, const std::optional<User>& user, const std::optional<Time>& time,
            std::string_view body, std::string_view what) {
    html_.markup("<article class=\"post\" id=\"").text(anchor).markup("\"><header>");
    write_user(html_, user);
    html_.markup(" <span class=\"soft\">").text(what).markup("</span> <a class=\"when\" href=\"#").text(anchor);
    html_.markup("\">");
    write_minute(html_, time);
    html_.markup("</a></header>\n");
    text(body);
    html_.markup("</article>\n");
  }

  void text(std::string_view body) {
    if (trimmed(body).empty()) {
      html_.markup("<p class=\"empty\">No text.</p>\n");
      return;
    }
    markdown_ += body.size();
    if (markdown_ > kMaxPageMarkdown) {
      html_.markup("<pre>").text(body).markup("</pre>\n");
      return;
    }
    write_markdown(html_, context_, around_, body);
  }

  void write_item(const Item& item) {
    if (item.kind == Item::Kind::comment) {
      const Comment comment = issue_.comments()[item.index];
      post("comment-" + std::to_string(comment.id), comment.user, comment.created, comment.body, "said");
    } else if (item.kind == Item::Kind::review) {
      const Review review = issue_.reviews()[item.index];
      write_review(review);
    } else {
      write_event(issue_.events()[item.index]);
    }
  }

  void write_review(const Review& review) {
    std::string state(review.review_state());
    for (char& c : state) c = c == '_' ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    post("review-" + std::to_string(review.id()), review.actor(), review.created(), review.body(),
         "reviewed this" + (state.empty() ? std::string() : ": " + state));
  }

  void write_event(const Event& event) {
    html_.markup("<p class=\"event\" id=\"event-").number(event.id()).markup("\">");
    write_user(html_, event.actor());
    html_.markup(" ");
    EventSentence(html_, context_, repo_, event).write();
    html_.markup(" <span class=\"when\">");
    write_minute(html_, event.created());
    html_.markup("</span></p>\n");
  }

  void aside() {
    html_.markup("<aside aria-label=\"About this\"><dl>\n<dt>Labels</dt><dd>");
    if (issue_.labels().empty()) html_.markup("none");
    for (const Label& label : issue_.labels()) {
      write_label(html_, repo_, label.name());
      html_.markup(" ");
    }
    html_.markup("</dd>\n<dt>Milestone</dt><dd>");
    if (const auto milestone = issue_.milestone()) {
      io::Params query;
      query.add("state", "all");
      query.add("milestone", std::string(milestone->title()));
      html_.markup("<a href=\"").text(path_of(repo_) + "?" + query.encode()).markup("\">").text(milestone->title());
      html_.markup("</a>");
    } else {
      html_.markup("none");
    }
    html_.markup("</dd>\n<dt>Assigned to</dt><dd>");
    const std::vector<User> assignees = issue_.assignees();
    if (assignees.empty()) html_.markup("nobody");
    for (std::size_t i = 0; i < assignees.size(); ++i) {
      if (i > 0) html_.markup(", ");
      write_user(html_, assignees[i]);
    }
    html_.markup("</dd>\n<dt>Changes that name it</dt><dd>");
    changes();
    html_.markup("</dd>\n</dl>\n");
    write_lag(html_, context_);
    html_.markup("</aside>\n");
  }

  void changes() {
    constexpr std::size_t kMost = 50;
    const std::vector<Change> all = context_.catalog.changes_naming(context_.view, issue_);
    if (all.empty()) {
      html_.markup("none");
      return;
    }
    html_.markup("<ul class=\"plain\">");
    for (std::size_t i = 0; i < std::min(all.size(), kMost); ++i) {
      html_.markup("<li>");
      write_state(html_, state_name(all[i].status()));
      html_.markup(" <a href=\"").text(path_of(all[i])).markup("\">CL ").number(all[i].number()).markup("</a> ");
      html_.text(build::html::clipped(all[i].subject(), 80)).markup("</li>");
    }
    html_.markup("</ul>");
    if (all.size() > kMost) html_.markup("and ").text(count_text(all.size() - kMost)).markup(" more");
  }

  const Context& context_;
  const Issue& issue_;
  const Repo repo_;
  const Surroundings around_;
  Html html_;
  std::size_t markdown_ = 0;
};

/// Where a comment is, if it is not on the first page; empty otherwise.
std::string address_of_comment(const Issue& issue, std::int64_t id) {
  const std::vector<Item> items = timeline_of(issue);
  for (std::size_t i = kItemsPerPage; i < items.size(); ++i)
    if (items[i].kind == Item::Kind::comment && issue.comments()[items[i].index].id == id)
      return path_of(issue) + "?page=" + std::to_string(i / kItemsPerPage + 1) + "#comment-" + std::to_string(id);
  return {};
}

}  // namespace

Answer issue_page(const Context& context, const Asked& asked, const Issue& issue) {
  if (const auto comment = build::html::parse_number(asked.query.get("comment"), INT64_MAX)) {
    std::string address = address_of_comment(issue, *comment);
    if (!address.empty()) return {.status = 302, .location = std::move(address)};
  }
  const Html main = IssueWriter(context, issue).write(asked);
  const std::string title =
      std::string(issue.title()) + " \xC2\xB7 " + issue.repo().id() + "#" + std::to_string(issue.number());
  return write_page(context, {.section = Section::corpus, .title = title, .live = Live::reading}, main);
}

}  // namespace maintner::web
