// Commits by builders, and the workers.

#include <io/http1.h>

#include <algorithm>
#include <limits>

#include "layout.h"
#include "pages.h"
#include "text.h"

namespace build::web {

namespace {

constexpr std::int64_t kCommitsOfMany = 15, kCommitsOfOne = 50, kMaxCommits = 500;

/// One table.
struct BranchTable {
  model::RepositoryName repository;
  model::BranchName branch;
  std::vector<model::BuilderName> builders;
  std::vector<store::CommitBuilds> rows;
  bool more = false;  ///< older commits follow
};

struct Wish {
  std::vector<RepositoryView> repositories;  ///< configured ones
  std::string repository, branch;            ///< if not empty, show only this
  std::optional<std::int64_t> before;
  std::size_t limit = 0;
};

void add_missing_builders(BranchTable& table) {
  for (const store::CommitBuilds& row : table.rows)
    for (const model::Build& build : row.builds)
      if (std::find(table.builders.begin(), table.builders.end(), build.builder) == table.builders.end())
        table.builders.push_back(build.builder);
}

/// Blocks: runs on the pool.
std::vector<BranchTable> load_tables(const store::Store& store, const Wish& wish) {
  const auto known = store.branches();
  std::vector<BranchTable> tables;
  for (const RepositoryView& repository : wish.repositories) {
    if (!wish.repository.empty() && repository.name.value != wish.repository) continue;
    std::vector<model::BranchName> branches = repository.branches;
    if (branches.empty())
      for (const auto& [name, branch] : known)
        if (name == repository.name) branches.push_back(branch);
    for (const model::BranchName& branch : branches) {
      if (!wish.branch.empty() && branch.value != wish.branch) continue;
      BranchTable table{repository.name, branch, repository.builders, {}, false};
      table.rows = store.branch_page(repository.name, branch, {.limit = wish.limit + 1, .before = wish.before});
      table.more = table.rows.size() > wish.limit;
      if (table.more) table.rows.pop_back();
      add_missing_builders(table);
      tables.push_back(std::move(table));
    }
  }
  return tables;
}

std::string branch_link(const BranchTable& table) {
  return "/?repository=" + io::percent_encode(table.repository.value) +
         "&branch=" + io::percent_encode(table.branch.value);
}

void write_commit(Html& html, const store::CommitBuilds& row, model::Time now) {
  html.markup("<th scope=\"row\"><span class=\"commit\"><code class=\"hash\">");
  html.text(row.place.hash.value.substr(0, 8)).markup("</code> <span class=\"subject\">");
  html.text(row.commit.subject.empty() ? "(no message)" : clipped(row.commit.subject, 160));
  html.markup("</span></span><span class=\"by\">").text(clipped(row.commit.author_name, 60)).markup(", ");
  write_age(html, row.commit.committed, now);
  html.markup("</span></th>");
}

void write_cell(Html& html, const store::CommitBuilds& row, const model::BuilderName& builder, const FarmView& farm) {
  const auto found = std::find_if(row.builds.begin(), row.builds.end(),
                                  [&builder](const model::Build& build) { return build.builder == builder; });
  if (found == row.builds.end()) {
    html.markup("<td class=\"none\"><span aria-label=\"not built\">\xE2\x80\x93</span></td>");
    return;
  }
  const auto waiting = farm.explain(found->id);
  html.markup("<td class=\"cell ").text(word_of(mark_of(*found))).markup("\"><a href=\"/build/");
  html.number(found->id.value).markup("\"");
  const std::string hint = waiting ? waiting->sentence : found->why;
  if (!hint.empty()) html.markup(" title=\"").text(clipped(hint, 300)).markup("\"");
  html.markup(">");
  write_shape(html, mark_of(*found));
  html.text(word_of(mark_of(*found))).markup("</a></td>");
}

void write_table(Html& html, const BranchTable& table, std::size_t number, const FarmView& farm, model::Time now) {
  const std::string id = "branch-" + std::to_string(number);
  html.markup("<section class=\"branch\" id=\"").text(id).markup("\">\n<h2><a href=\"").text(branch_link(table));
  html.markup("\">").text(table.repository.value).markup(" <span class=\"slash\">/</span> ").text(table.branch.value);
  html.markup("</a></h2>\n");
  if (table.rows.empty()) {
    html.markup("<p class=\"empty\">No commits were seen on this branch yet.</p>\n</section>\n");
    return;
  }
  html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Builds of ");
  html.text(table.repository.value).markup(", ").text(table.branch.value);
  html.markup("\">\n<table class=\"grid\">\n<thead><tr><th scope=\"col\">Commit</th>");
  for (const model::BuilderName& builder : table.builders)
    html.markup("<th scope=\"col\">").text(builder.value).markup("</th>");
  html.markup("</tr></thead>\n<tbody>\n");
  for (const store::CommitBuilds& row : table.rows) {
    html.markup("<tr id=\"").text(id).markup("-").number(row.place.position).markup("\">");
    write_commit(html, row, now);
    for (const model::BuilderName& builder : table.builders) write_cell(html, row, builder, farm);
    html.markup("</tr>\n");
  }
  html.markup("</tbody>\n</table>\n</div>\n");
  if (table.more) {
    html.markup("<p class=\"more\"><a href=\"").text(branch_link(table)).markup("&amp;before=");
    html.number(table.rows.back().place.position).markup("\">Older commits</a></p>\n");
  }
  html.markup("</section>\n");
}

void write_workers(Html& html, const FarmView& farm, model::Time now) {
  html.markup("<section id=\"workers\">\n<h2>Workers</h2>\n");
  const std::vector<WorkerView> workers = farm.workers();
  if (workers.empty()) {
    html.markup("<p class=\"empty\">No worker is connected.</p>\n</section>\n");
    return;
  }
  html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Workers\">\n<table class=\"list\">");
  html.markup("<thead><tr><th scope=\"col\">Host</th><th scope=\"col\">Host type</th><th scope=\"col\">Does</th>");
  html.markup("<th scope=\"col\">Connected</th><th scope=\"col\">Version</th></tr></thead>\n<tbody>\n");
  for (const WorkerView& worker : workers) {
    html.markup("<tr><th scope=\"row\">").text(clipped(worker.session.hostname, 80));
    if (worker.session.dev_key) html.markup(" <span class=\"danger\">public development key</span>");
    html.markup("</th><td>").text(clipped(worker.session.host_type.value, 80)).markup("</td><td>");
    if (worker.build)
      html.markup("<a href=\"/build/")
          .number(worker.build->value)
          .markup("\">build ")
          .number(worker.build->value)
          .markup("</a>");
    else
      html.markup("free");
    html.markup("</td><td>");
    write_age(html, worker.session.connected, now);
    html.markup("</td><td>").text(clipped(worker.session.version, 40)).markup("</td></tr>\n");
  }
  html.markup("</tbody>\n</table>\n</div>\n</section>\n");
}

}  // namespace

io::Task<Answer> front_page(const SiteSources& sources, io::Params query) {
  Wish wish;
  wish.repositories = sources.farm.repositories();
  wish.repository = query.get("repository");
  wish.branch = query.get("branch");
  const bool one = !wish.repository.empty();
  wish.limit =
      static_cast<std::size_t>(number_from(query, "limit", one ? kCommitsOfOne : kCommitsOfMany, 1, kMaxCommits));
  if (query.has("before")) wish.before = number_from(query, "before", 0, 0, std::numeric_limits<std::int64_t>::max());

  const auto load = [&sources, &wish] { return load_tables(sources.store, wish); };
  const std::vector<BranchTable> tables = co_await sources.pool.run(load);
  if (one && tables.empty())
    throw net::HttpError(404, "There is no such repository or branch here: " + wish.repository +
                                  (wish.branch.empty() ? "" : ", " + wish.branch) + ".");

  const model::Time now = sources.clock.wall_now();
  Frame frame;
  frame.refresh_seconds = 5;
  frame.json_path = "/api/v1/status";
  Html main;
  if (one) {
    frame.title = wish.repository + " \xC2\xB7 xbuild";
    frame.json_path = "/api/v1/commits?repository=" + io::percent_encode(wish.repository) +
                      "&branch=" + io::percent_encode(tables.front().branch.value);
    main.markup("<p class=\"crumbs\"><a href=\"/\">All repositories</a></p>\n");
  } else {
    frame.title = "Builds \xC2\xB7 xbuild";
  }
  main.markup("<h1 class=\"hidden\">Builds, newest commits first</h1>\n");
  std::size_t number = 0;
  for (const BranchTable& table : tables) write_table(main, table, number++, sources.farm, now);
  if (tables.empty()) main.markup("<p class=\"empty\">No commits were seen yet.</p>\n");
  write_workers(main, sources.farm, now);
  co_return Answer{200, kHtmlType, write_page(sources.farm, now, frame, main)};
}

}  // namespace build::web
