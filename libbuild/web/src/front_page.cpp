// Commits by builders: a table for each branch, or one branch page by page; all of it or what a filter leaves.

#include <algorithm>
#include <map>
#include <set>

#include "commits.h"
#include "layout.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr std::int64_t kCommitsOfMany = 15, kCommitsOfOne = 50;

/// One table.
struct BranchTable {
  model::RepositoryName repository;
  model::BranchName branch;
  std::vector<model::BuilderName> builders;
  std::vector<store::CommitBuilds> rows;
  bool newer = false, older = false;  ///< there are more commits in that direction
};

struct FrontView {
  CommitWish wish;
  std::vector<RepositoryView> repositories;                                ///< configured ones
  std::vector<std::pair<model::RepositoryName, model::BranchName>> known;  ///< branches with commits
  std::vector<BranchTable> tables;
  std::map<model::BuildId, std::string> away;  ///< sentences about builds that run on workers which are away
  model::Time now;
};

/// The configured branches of a repository, or those that the store knows.
std::vector<model::BranchName> branches_of(const RepositoryView& repository, const FrontView& view) {
  if (!repository.branches.empty()) return repository.branches;
  std::vector<model::BranchName> branches;
  for (const auto& [name, branch] : view.known)
    if (name == repository.name) branches.push_back(branch);
  return branches;
}

/// Which columns a table has: the configured builders and those of the builds there are, as the filter says. Asked for
/// a state, only builders with a build in it.
std::vector<model::BuilderName> columns_of(const BranchTable& table, std::vector<model::BuilderName> builders,
                                           const CommitWish& wish) {
  std::set<model::BuilderName> seen(builders.begin(), builders.end()), matching;
  for (const store::CommitBuilds& row : table.rows)
    for (const model::Build& build : row.builds) {
      if (seen.insert(build.builder).second) builders.push_back(build.builder);
      if (wish.state && mark_of(build) == *wish.state) matching.insert(build.builder);
    }
  std::erase_if(builders, [&](const model::BuilderName& builder) {
    return builder.value.find(wish.builder) == std::string::npos || (wish.state && !matching.contains(builder));
  });
  return builders;
}

/// Blocks: runs on the pool.
void load_tables(const store::Store& store, FrontView& view) {
  const CommitWish& wish = view.wish;
  view.known = store.branches();
  std::vector<const RepositoryView*> of;
  for (const RepositoryView& repository : view.repositories) {
    if (!wish.repository.empty() && repository.name.value != wish.repository) continue;
    for (const model::BranchName& branch : branches_of(repository, view)) {
      if (!wish.branch.empty() && branch.value != wish.branch) continue;
      view.tables.push_back({.repository = repository.name, .branch = branch, .builders = {}, .rows = {}});
      of.push_back(&repository);
    }
  }
  const bool one = view.tables.size() == 1;
  const std::size_t limit = wish.limit.value_or(one ? kCommitsOfOne : kCommitsOfMany);
  for (std::size_t i = 0; i < view.tables.size(); ++i) {
    BranchTable& table = view.tables[i];
    CommitRows page = load_commits(store, table.repository, table.branch, wish, limit);
    table.rows = std::move(page.rows);
    // Where several branches are shown, each one's own page is where it goes on.
    table.newer = one && page.newer;
    table.older = page.older;
    table.builders = columns_of(table, of[i]->builders, wish);
  }
}

std::string branch_link(const FrontView& view, const BranchTable& table, const std::string& more = {}) {
  CommitWish wish = view.wish;
  wish.repository = table.repository.value;
  wish.branch = table.branch.value;
  return "/?" + query_of(wish) + more;
}

void write_option(Html& html, std::string_view value, std::string_view text, bool selected) {
  html.markup("<option value=\"").text(value).markup("\"");
  if (selected) html.markup(" selected");
  html.markup(">").text(text).markup("</option>");
}

/// A choice among names; left out where there is nothing to choose.
void write_choice(Html& html, Html::Literal field, Html::Literal label, const std::vector<std::string>& names,
                  const std::string& chosen) {
  if (names.size() < 2 && chosen.empty()) return;
  html.markup("<label>").markup(label).markup("<select name=\"").markup(field).markup("\">");
  write_option(html, "", "all", chosen.empty());
  for (const std::string& name : names) write_option(html, name, clipped(name, 60), name == chosen);
  html.markup("</select></label>\n");
}

void write_filter(Html& html, const FrontView& view) {
  const CommitWish& wish = view.wish;
  std::vector<std::string> repositories, states;
  std::set<std::string> branches, builders;
  for (const RepositoryView& repository : view.repositories) {
    repositories.push_back(repository.name.value);
    if (!wish.repository.empty() && repository.name.value != wish.repository) continue;
    for (const model::BranchName& branch : branches_of(repository, view)) branches.insert(branch.value);
    for (const model::BuilderName& builder : repository.builders) builders.insert(builder.value);
  }
  for (const Mark mark : kMarks) states.emplace_back(word_of(mark));
  html.markup("<form class=\"filter\" id=\"filter\" action=\"/\" method=\"get\" role=\"search\" ");
  html.markup("aria-label=\"Filter the builds\" data-keep=\"\">\n");
  write_choice(html, "repository", "Repository", repositories, wish.repository);
  write_choice(html, "branch", "Branch", {branches.begin(), branches.end()}, wish.branch);
  html.markup("<label>Builder<input name=\"builder\" list=\"builders\" placeholder=\"all\" autocomplete=\"off\" ");
  html.markup("spellcheck=\"false\" maxlength=\"100\" value=\"").text(wish.builder).markup("\"></label>\n");
  html.markup("<datalist id=\"builders\">");
  for (const std::string& builder : builders) html.markup("<option value=\"").text(builder).markup("\"></option>");
  html.markup("</datalist>\n");
  write_choice(html, "state", "State", states, wish.state ? std::string(word_of(*wish.state)) : "");
  html.markup("<button>Show</button>");
  if (!query_of(wish).empty()) html.markup(" <a href=\"/\">Show all</a>");
  html.markup("\n</form>\n");
}

void write_commit(Html& html, const store::CommitBuilds& row, model::Time now) {
  html.markup("<th scope=\"row\"><span class=\"commit\"><code class=\"hash\">");
  html.text(row.place.hash.value.substr(0, 8)).markup("</code> <span class=\"subject\">");
  html.text(row.commit.subject.empty() ? "(no message)" : clipped(row.commit.subject, 160));
  html.markup("</span></span><span class=\"by\">").text(clipped(row.commit.author_name, 40)).markup(", ");
  write_age(html, row.commit.committed, now);
  html.markup("</span></th>");
}

/// A page has thousands of these: shapes and colours hang on the class alone.
void write_cell(Html& html, const FrontView& view, const store::CommitBuilds& row, const model::BuilderName& builder) {
  const auto found = std::find_if(row.builds.begin(), row.builds.end(),
                                  [&builder](const model::Build& build) { return build.builder == builder; });
  if (found == row.builds.end()) {
    html.markup("<td></td>");
    return;
  }
  const std::string_view word = word_of(mark_of(*found));
  html.markup("<td class=\"").text(word).markup("\"><a href=\"/build/").number(found->id.value).markup("\"");
  if (found->state == model::BuildState::finished && !found->why.empty())
    html.markup(" title=\"").text(clipped(found->why, 120)).markup("\"");
  else if (const auto away = view.away.find(found->id); away != view.away.end())
    html.markup(" title=\"").text(away->second).markup("\"");
  html.markup(">").text(word).markup("</a></td>");
}

/// A name that may break after its dashes.
void write_column(Html& html, const std::string& name) {
  html.markup("<th scope=\"col\">");
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::size_t dash = std::min(rest.find_first_of("-_."), rest.size() - 1);
    html.text(rest.substr(0, dash + 1));
    rest.remove_prefix(dash + 1);
    if (!rest.empty()) html.markup("<wbr>");
  }
  html.markup("</th>");
}

void write_paging(Html& html, const FrontView& view, const BranchTable& table) {
  const CommitWish& wish = view.wish;
  const bool moved = wish.before || wish.after;
  if (!table.older && !table.newer && !moved) return;
  html.markup("<nav class=\"paging\" aria-label=\"Commits of ").text(table.repository.value).markup(", ");
  html.text(table.branch.value).markup("\">");
  if (moved) html.markup("<a href=\"").text(branch_link(view, table)).markup("\">Newest</a> ");
  if (table.newer && !table.rows.empty()) {
    const std::string first = std::to_string(table.rows.front().place.position);
    html.markup("<a rel=\"prev\" href=\"").text(branch_link(view, table, "&after=" + first)).markup("\">");
    html.markup("Newer commits</a> ");
  }
  if (table.older) {
    const std::string last = std::to_string(table.rows.back().place.position);
    html.markup("<a rel=\"next\" href=\"").text(branch_link(view, table, "&before=" + last)).markup("\">");
    html.markup("Older commits</a>");
  }
  html.markup("</nav>\n");
}

void write_table(Html& html, const FrontView& view, const BranchTable& table, std::size_t number) {
  const std::string id = "branch-" + std::to_string(number);
  html.markup("<section class=\"branch\" id=\"").text(id).markup("\">\n<h2><a href=\"").text(branch_link(view, table));
  html.markup("\">").text(table.repository.value).markup(" <span class=\"slash\">/</span> ").text(table.branch.value);
  html.markup("</a></h2>\n");
  if (table.rows.empty() || table.builders.empty()) {
    html.markup("<p class=\"empty\">");
    html.text(view.wish.filters() ? "No commit here fits the filter." : "No commits were seen on this branch yet.");
    html.markup("</p>\n");
  } else {
    html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Builds of ");
    html.text(table.repository.value).markup(", ").text(table.branch.value);
    html.markup("\">\n<table class=\"grid\">\n<thead><tr><th scope=\"col\">Commit</th>");
    for (const model::BuilderName& builder : table.builders) write_column(html, builder.value);
    html.markup("</tr></thead>\n<tbody>\n");
    for (const store::CommitBuilds& row : table.rows) {
      html.markup("<tr id=\"").text(id).markup("-").number(row.place.position).markup("\">");
      write_commit(html, row, view.now);
      for (const model::BuilderName& builder : table.builders) write_cell(html, view, row, builder);
      html.markup("</tr>\n");
    }
    html.markup("</tbody>\n</table>\n</div>\n");
  }
  write_paging(html, view, table);
  html.markup("</section>\n");
}

std::string json_twin(const FrontView& view) {
  if (view.tables.size() != 1) return "/api/v1/status";
  CommitWish wish = view.wish;
  wish.repository = view.tables.front().repository.value;
  wish.branch = view.tables.front().branch.value;
  std::string path = "/api/v1/commits?" + query_of(wish);
  if (wish.before) path += "&before=" + std::to_string(*wish.before);
  if (wish.after) path += "&after=" + std::to_string(*wish.after);
  return path;
}

}  // namespace

io::Task<Answer> front_page(const SiteSources& sources, io::Params query) {
  FrontView view;
  view.wish = commit_wish_from(query);
  view.repositories = sources.farm.repositories();
  const CommitWish& wish = view.wish;
  const auto named = [&wish](const RepositoryView& repository) { return repository.name.value == wish.repository; };
  if (!wish.repository.empty() && std::none_of(view.repositories.begin(), view.repositories.end(), named))
    throw net::HttpError(404, "There is no repository of that name here: " + wish.repository + ".");
  const auto load = [&sources, &view] { load_tables(sources.store, view); };
  co_await sources.pool.run(load);
  for (const model::Build& build : sources.farm.unfinished())
    if (const auto away = sources.farm.away(build.id)) view.away.emplace(build.id, away->sentence);
  view.now = sources.clock.wall_now();

  Frame frame;
  frame.page = Page::builds;
  frame.refresh_seconds = 5;
  frame.json_path = json_twin(view);
  frame.title = (wish.repository.empty() ? "Builds" : wish.repository) + " \xC2\xB7 xbuild";
  Html main;
  main.markup("<h1 class=\"hidden\">Builds, newest commits first</h1>\n");
  write_filter(main, view);
  std::size_t number = 0;
  for (const BranchTable& table : view.tables) write_table(main, view, table, number++);
  const bool missing = view.tables.empty() && !wish.branch.empty();
  if (missing)
    main.markup("<p class=\"empty\">There is no branch of that name here.</p>\n");
  else if (view.tables.empty())
    main.markup("<p class=\"empty\">No commits were seen yet.</p>\n");
  co_return Answer{missing ? 404 : 200, kHtmlType, write_page(sources.farm, view.now, frame, main)};
}

}  // namespace build::web
