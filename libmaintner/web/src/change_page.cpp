#include <maintner/query.h>

#include <algorithm>

#include "commit_parts.h"
#include "layout.h"

namespace maintner::web {

using build::html::count_text;

namespace {

constexpr std::size_t kMaxMessages = 500;

class ChangeWriter {
 public:
  ChangeWriter(const Context& context, const Change& change)
      : context_(context),
        change_(change),
        project_(change.project()),
        around_{.repo = {}, .server = std::string(project_.server())} {}

  Html write(ChangeTab tab, std::int32_t patch_set) {
    head();
    tabs(tab);
    if (tab == ChangeTab::discussion)
      discussion();
    else if (tab == ChangeTab::patch_sets)
      patch_sets();
    else
      files(patch_set);
    return std::move(html_);
  }

 private:
  void head() {
    const std::string name(project_.full_name());
    write_crumbs(html_, {{"Projects", "/"}, {name, path_of(project_)}, {std::to_string(change_.number()), ""}});
    const std::string subject = change_.subject();
    html_.markup("<h1 class=\"subject\">")
        .text(subject.empty() ? std::string_view("(no subject)") : std::string_view(subject));
    html_.markup(" <span class=\"slash\">CL ").number(change_.number()).markup("</span></h1>\n<p class=\"lead\">");
    write_state(html_, state_name(change_.status()));
    html_.markup(" made ");
    write_minute(html_, time_of(change_.created()));
    html_.markup(" by ");
    write_owner();
    html_.markup(", changed ");
    write_minute(html_, time_of(change_.meta().commit().committer()));
    if (change_.work_in_progress()) html_.markup(" \xC2\xB7 work in progress");
    html_.markup("</p>\n");
  }

  void write_owner() {
    const auto owner = change_.owner();
    write_person(html_, context_, owner ? owner->person : change_.created().person);
  }

  void tabs(ChangeTab open) {
    const auto link = [&](ChangeTab tab, std::string_view path, Html::Literal name, std::int64_t count) {
      html_.markup("<a href=\"").text(path_of(change_)).text(path).markup("\"");
      if (tab == open) html_.markup(" aria-current=\"page\"");
      html_.markup(">").markup(name);
      if (count >= 0) html_.markup(" <span>").number(count).markup("</span>");
      html_.markup("</a>");
    };
    html_.markup("<nav class=\"tabs\" aria-label=\"Parts of the change\">");
    link(ChangeTab::discussion, "", "Discussion", -1);
    link(ChangeTab::patch_sets, "/commits", "Patch sets", change_.version());
    link(ChangeTab::files, "/files", "Files", static_cast<std::int64_t>(change_.commit().files().size()));
    html_.markup("</nav>\n");
  }

  void discussion() {
    html_.markup("<div class=\"thread\">\n<div class=\"posts\">\n");
    write_message(html_, context_, around_, change_.commit().message());
    const std::vector<Message> messages = change_.messages();
    const std::size_t first = messages.size() > kMaxMessages ? messages.size() - kMaxMessages : 0;
    if (first > 0)
      html_.markup("<p class=\"gap\">The oldest ").text(count_text(first)).markup(" messages are left out.</p>\n");
    for (std::size_t i = first; i < messages.size(); ++i) message(messages[i], i);
    html_.markup("<p class=\"soft\"><a rel=\"noopener noreferrer\" href=\"").text(review_address());
    html_.markup("\">Answer at Gerrit</a></p>\n</div>\n");
    aside();
    html_.markup("</div>\n");
  }

  std::string review_address() const {
    constexpr std::string_view kHosts = ".googlesource.com";
    std::string server(project_.server());
    if (server.ends_with(kHosts)) server.insert(server.size() - kHosts.size(), "-review");
    return "https://" + server + "/c/" + std::string(project_.name()) + "/+/" + std::to_string(change_.number());
  }

  void message(const Message& message, std::size_t index) {
    html_.markup("<article class=\"post\" id=\"message-").number(static_cast<std::int64_t>(index));
    html_.markup("\"><header>");
    write_person(html_, context_, message.author.person);
    html_.markup(" <span class=\"soft\">patch set ")
        .number(message.patch_set)
        .markup("</span> <a class=\"when\" href=\"#message-");
    html_.number(static_cast<std::int64_t>(index)).markup("\">");
    write_minute(html_, time_of(message.author));
    html_.markup("</a></header>\n<div class=\"plain-text\">");
    write_text(html_, context_, around_, message.text);
    html_.markup("</div></article>\n");
  }

  void patch_sets() {
    open_table(html_, "Patch sets", {"Patch set", "Commit", "Author", "Committed", {"Files", kNumbers}, "Subject"});
    for (std::int32_t number = change_.version(); number >= 1; --number) {
      const auto commit = change_.commit_at(number);
      if (!commit) continue;
      html_.markup("<tr><th scope=\"row\">").number(number).markup("</th><td>");
      write_commit(html_, *commit);
      html_.markup("</td><td>");
      write_person(html_, context_, commit->author().person);
      html_.markup("</td><td class=\"day\">");
      write_minute(html_, time_of(commit->committer()));
      html_.markup("</td><td class=\"count\"><a href=\"").text(path_of(change_)).markup("/files/").text(commit->hex());
      html_.markup("\">").number(static_cast<std::int64_t>(commit->files().size())).markup("</a></td><td>");
      html_.text(commit->summary()).markup("</td></tr>\n");
    }
    close_table(html_);
  }

  void files(std::int32_t number) {
    const auto commit = change_.commit_at(number);
    if (!commit) throw Refusal(404, "There is no patch set " + std::to_string(number) + ".");
    html_.markup("<p>Patch set ").number(number).markup(" of ").number(change_.version()).markup(", commit ");
    write_commit(html_, *commit);
    if (number > 1) other_patch_set(number - 1);
    if (number < change_.version()) other_patch_set(number + 1);
    html_.markup("</p>\n");
    write_files(html_, *commit);
  }

  void other_patch_set(std::int32_t number) {
    const auto commit = change_.commit_at(number);
    if (!commit) return;
    html_.markup(" \xC2\xB7 <a href=\"").text(path_of(change_)).markup("/files/").text(commit->hex());
    html_.markup("\">patch set ").number(number).markup("</a>");
  }

  void aside() {
    html_.markup("<aside aria-label=\"About this\"><dl>\n<dt>Owner</dt><dd>");
    write_owner();
    html_.markup("</dd>\n<dt>Branch</dt><dd>").text(change_.branch().empty() ? "unknown" : change_.branch());
    html_.markup("</dd>\n<dt>Votes</dt><dd>");
    votes();
    html_.markup("</dd>\n<dt>Reviewers</dt><dd>");
    reviewers();
    html_.markup("</dd>\n<dt>Hashtags</dt><dd>");
    if (change_.hashtags().empty())
      html_.markup("none");
    else
      write_hashtags(html_, project_, change_.hashtags());
    html_.markup("</dd>\n<dt>Issues it names</dt><dd>");
    issues();
    html_.markup("</dd>\n<dt>Patch set ").number(change_.version()).markup("</dt><dd>");
    write_commit(html_, change_.commit());
    html_.markup("</dd>\n");
    if (!change_.change_id().empty())
      html_.markup("<dt>Change-Id</dt><dd><code>").text(change_.change_id()).markup("</code></dd>\n");
    html_.markup("</dl></aside>\n");
  }

  void votes() {
    Votes all;
    try {
      all = change_.meta().label_votes();
    } catch (const QueryError&) {
      html_.markup("unknown: a patch set is missing");
      return;
    }
    if (all.empty()) html_.markup("none");
    for (const auto& [label, by_voter] : all) {
      html_.markup("<div class=\"votes\"><b>").text(label).markup("</b>");
      for (const auto& [voter, value] : by_voter) {
        html_.markup(" <span class=\"vote ").text(value > 0 ? "for" : value < 0 ? "against" : "none").markup("\">");
        html_.text((value > 0 ? "+" : "") + std::to_string(value)).markup("</span> ");
        write_person(html_, context_, "<" + voter + ">");
      }
      html_.markup("</div>");
    }
  }

  void reviewers() {
    const std::vector<std::string_view> all = reviewers_of(change_);
    if (all.empty()) html_.markup("none");
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i > 0) html_.markup(", ");
      write_person(html_, context_, all[i]);
    }
  }

  void issues() {
    const std::vector<IssueReference> all = change_.issues();
    if (all.empty()) html_.markup("none");
    html_.markup("<ul class=\"plain\">");
    for (const IssueReference& reference : all) {
      html_.markup("<li>");
      issue(reference);
      html_.markup("</li>");
    }
    html_.markup("</ul>");
  }

  void issue(const IssueReference& reference) {
    const std::string name = reference.owner + "/" + reference.repo + "#" + std::to_string(reference.number);
    const auto repo = context_.view.github().repo(reference.owner, reference.repo);
    const auto issue = repo ? repo->issue(reference.number) : std::nullopt;
    if (!issue || issue->not_exist()) {
      html_.text(name);
      return;
    }
    write_state(html_, state_name(*issue));
    html_.markup(" <a href=\"").text(path_of(*issue)).markup("\">").text(name).markup("</a> ");
    html_.text(build::html::clipped(issue->title(), 80));
  }

  const Context& context_;
  const Change& change_;
  const Project project_;
  const Surroundings around_;
  Html html_;
};

}  // namespace

Answer change_page(const Context& context, const Change& change, ChangeTab tab, std::int32_t patch_set) {
  const Html main = ChangeWriter(context, change).write(tab, patch_set);
  const std::string title = change.subject() + " \xC2\xB7 CL " + std::to_string(change.number());
  return write_page(context, {.section = Section::corpus, .title = title, .live = Live::reading}, main);
}

}  // namespace maintner::web
