#include "commit_parts.h"

#include <algorithm>

namespace maintner::web {

using build::html::count_text;

namespace {

constexpr std::size_t kMaxFiles = 1000, kMaxMessage = 256 * 1024, kMostCandidates = 50;

bool is_hash_prefix(std::string_view name) {
  constexpr std::size_t kLeast = 4, kMost = 40;
  return name.size() >= kLeast && name.size() <= kMost &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Answer candidates_page(const Context& context, const std::string& prefix, const std::vector<Commit>& commits) {
  Html html;
  html.markup("<h1>Commits that begin with ").text(prefix).markup("</h1>\n<ul class=\"plain\">");
  for (const Commit& commit : commits) {
    html.markup("<li>");
    write_commit(html, commit);
    html.markup(" ").text(commit.summary()).markup("</li>\n");
  }
  html.markup("</ul>\n");
  return write_page(context, {.title = "Commits " + prefix}, html);
}

/// The number in "Reviewed-on: https://go-review.googlesource.com/c/go/+/1".
std::string_view reviewed_on(std::string_view message) {
  const auto line = line_value(message, "Reviewed-on: ");
  return line ? line->value : std::string_view();
}

void write_change_of(Html& html, const Context& context, const Commit& commit) {
  const auto found = context.catalog.change_of(context.view, commit);
  const std::string_view url = reviewed_on(commit.message());
  if (!found && !is_web_address(url)) return;
  html.markup("<div><dt>Change</dt><dd>");
  if (found) {
    html.markup("<a href=\"").text(path_of(found->first)).markup("\">CL ").number(found->first.number());
    html.markup("</a>, patch set ").number(found->second).markup(" of ").number(found->first.version());
  } else {
    write_link(html, context, url, url);
  }
  html.markup("</dd></div>\n");
}

void write_who(Html& html, const Context& context, std::string_view what, const PersonAndTime& who) {
  html.markup("<div><dt>").text(what).markup("</dt><dd>");
  write_person(html, context, who.person);
  html.markup(", ");
  write_minute(html, time_of(who));
  html.markup(" <span class=\"soft\">").text(who.zone).markup("</span></dd></div>\n");
}

}  // namespace

void write_files(Html& html, const Commit& commit) {
  const std::vector<File> files = commit.files();
  if (files.empty()) {
    html.markup("<p class=\"empty\">No files: it is a merge, the first commit, or changes none.</p>\n");
    return;
  }
  std::int64_t added = 0, deleted = 0;
  for (const File& file : files) {
    added += file.added;
    deleted += file.deleted;
  }
  html.markup("<p class=\"soft\">")
      .text(count_text(files.size()))
      .markup(files.size() == 1 ? Html::Literal(" file, ") : Html::Literal(" files, "));
  html.markup("<span class=\"added\">+")
      .number(added)
      .markup("</span> <span class=\"deleted\">\xE2\x88\x92")
      .number(deleted);
  html.markup("</span></p>\n");
  open_table(html, "Files of " + commit.hex(), {"File", {"Added", kNumbers}, {"Deleted", kNumbers}});
  for (std::size_t i = 0; i < std::min(files.size(), kMaxFiles); ++i) {
    html.markup("<tr><th scope=\"row\"><code>").text(files[i].name).markup("</code></th>");
    if (files[i].binary) {
      html.markup("<td colspan=\"2\" class=\"soft\">binary</td></tr>\n");
      continue;
    }
    html.markup("<td class=\"count added\">+")
        .number(files[i].added)
        .markup("</td><td class=\"count deleted\">\xE2\x88\x92");
    html.number(files[i].deleted).markup("</td></tr>\n");
  }
  close_table(html);
  if (files.size() > kMaxFiles)
    html.markup("<p class=\"gap\">and ").text(count_text(files.size() - kMaxFiles)).markup(" more</p>\n");
}

void write_message(Html& html, const Context& context, const Surroundings& around, std::string_view message) {
  html.markup("<pre class=\"message\">");
  write_text(html, context, around, message.substr(0, kMaxMessage));
  html.markup("</pre>\n");
  if (message.size() > kMaxMessage)
    html.markup("<p class=\"gap\">The rest, ")
        .text(count_text(message.size() - kMaxMessage))
        .markup(" bytes, is left out.</p>\n");
}

Answer commit_page(const Context& context, std::string_view name) {
  std::string hash(name);
  for (char& c : hash)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
  if (!is_hash_prefix(hash))
    throw Refusal(404, "\"" + build::html::clipped(name, 60) + "\" is not the hash of a commit.");
  std::optional<Commit> commit = context.view.commit(hash);
  if (!commit && hash.size() < 40) {
    const std::vector<Commit> found = context.catalog.commits_with(context.view, hash, kMostCandidates);
    if (found.size() > 1) return candidates_page(context, hash, found);
    if (found.size() == 1) return {.status = 302, .location = path_of(found.front())};
  }
  if (!commit) throw Refusal(404, "There is no commit " + hash + " here.");
  if (commit->is_placeholder())
    throw Refusal(404, "Of the commit " + hash + " nothing is known but that it is the parent of another.");

  const auto change = context.catalog.change_of(context.view, *commit);
  Surroundings around;
  if (change) around.server = change->first.project().server();
  Html html;
  write_crumbs(html, {{"Projects", "/"}, {"commit " + hash.substr(0, 10), ""}});
  html.markup("<h1 class=\"subject\">").text(commit->summary()).markup("</h1>\n<dl class=\"facts\">\n");
  html.markup("<div><dt>Commit</dt><dd><code>").text(hash).markup("</code></dd></div>\n");
  write_who(html, context, "Author", commit->author());
  write_who(html, context, "Committer", commit->committer());
  write_change_of(html, context, *commit);
  const std::vector<Commit> parents = commit->parents();
  html.markup("<div><dt>").text(parents.size() == 1 ? "Parent" : "Parents").markup("</dt><dd>");
  if (parents.empty()) html.markup("none");
  for (const Commit& parent : parents) {
    write_commit(html, parent);
    html.markup(" ");
  }
  html.markup("</dd></div>\n</dl>\n");
  write_lag(html, context);
  write_message(html, context, around, commit->message());
  html.markup("<h2>Files</h2>\n");
  write_files(html, *commit);
  const std::string title = std::string(commit->summary()) + " \xC2\xB7 " + hash.substr(0, 10);
  return write_page(context, {.section = Section::corpus, .title = title, .live = Live::reading}, html);
}

}  // namespace maintner::web
