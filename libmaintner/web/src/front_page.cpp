#include "layout.h"

namespace maintner::web {

using build::html::count_text;

namespace {

void write_count_link(Html& html, const std::string& address, std::size_t count) {
  html.markup("<td class=\"count\"><a href=\"").text(address).markup("\">").text(count_text(count)).markup("</a></td>");
}

void write_repos(Html& html, const std::vector<RepoCounts>& repos) {
  open_table(html, "GitHub repositories",
             {"Repository", {"Issues", kNumbers}, {"Open", kNumbers}, {"Pull requests", kNumbers}, "Newest"});
  for (const RepoCounts& repo : repos) {
    const std::string path = "/" + io::percent_encode(repo.owner) + "/" + io::percent_encode(repo.name);
    html.markup("<tr><th scope=\"row\"><a href=\"").text(path).markup("\">").text(repo.owner).markup("/");
    html.text(repo.name).markup("</a></th>");
    write_count_link(html, path + "?state=all", repo.open_issues + repo.closed_issues);
    write_count_link(html, path, repo.open_issues);
    write_count_link(html, path + "?kind=pulls&state=all", repo.open_pulls + repo.closed_pulls);
    html.markup("<td>");
    write_day(html, repo.newest);
    html.markup("</td></tr>\n");
  }
  close_table(html);
}

void write_projects(Html& html, const std::vector<ProjectCounts>& projects) {
  open_table(html, "Gerrit projects",
             {"Project", {"Changes", kNumbers}, {"Open", kNumbers}, {"Merged", kNumbers}, "Newest"});
  for (const ProjectCounts& project : projects) {
    const std::string path = path_of(project.server, project.name);
    html.markup("<tr><th scope=\"row\"><a href=\"").text(path).markup("\">").text(project.server).markup("/");
    html.text(project.name).markup("</a></th>");
    write_count_link(html, path + "?state=all", project.open + project.merged + project.abandoned);
    write_count_link(html, path, project.open);
    write_count_link(html, path + "?state=all&status=merged", project.merged);
    html.markup("<td>");
    write_day(html, project.newest);
    html.markup("</td></tr>\n");
  }
  close_table(html);
}

/// What there is to say before anything has been counted.
Counts names_only(const View& view) {
  Counts counts;
  for (const Repo& repo : view.github().repos())
    counts.repos.push_back({.owner = std::string(repo.owner()), .name = std::string(repo.name())});
  for (const Project& project : view.gerrit().projects())
    counts.projects.push_back({.server = std::string(project.server()), .name = std::string(project.name())});
  return counts;
}

}  // namespace

Answer front_page(const Context& context, const Asked& /*asked*/) {
  const auto counted = context.catalog.counts();
  const Counts counts =
      counted ? Counts{.repos = counted->repos, .projects = counted->projects} : names_only(context.view);
  Html html;
  html.markup(
      "<h1>A project\xE2\x80\x99s history</h1>\n<form class=\"filter wide\" action=\"/-/search\" role=\"search\">");
  html.markup("<label>Search titles, texts, comments, reviews, messages and commits");
  html.markup("<input type=\"search\" name=\"q\" maxlength=\"1000\"></label><button>Search</button></form>\n");
  write_lag(html, context);
  html.markup("<div class=\"halves\">\n<section><h2>GitHub repositories</h2>\n");
  if (counts.repos.empty())
    html.markup("<p class=\"empty\">There are none.</p>\n");
  else
    write_repos(html, counts.repos);
  html.markup("</section>\n<section><h2>Gerrit projects</h2>\n");
  if (counts.projects.empty())
    html.markup("<p class=\"empty\">There are none.</p>\n");
  else
    write_projects(html, counts.projects);
  html.markup("</section>\n</div>\n");
  return write_page(context, {.section = Section::corpus, .title = "maintserve", .live = Live::list}, html);
}

}  // namespace maintner::web
