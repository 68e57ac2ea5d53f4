#include "layout.h"

#include <algorithm>

#include "assets.h"

namespace maintner::web {

using build::html::clipped;
using build::html::count_text;

namespace {

constexpr std::size_t kShortHash = 10, kMaxTitle = 300;

void write_asset(Html& html, std::string_view name) {
  const Asset* const asset = find_asset(name);
  html.markup("/-/static/").text(name).markup("?v=").text(asset == nullptr ? "" : asset->tag);
}

void write_head(Html& html, const Frame& frame) {
  html.markup("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
  html.text(clipped(frame.title, kMaxTitle)).markup("</title>\n");
  html.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
  html.markup("<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"");
  write_asset(html, "favicon.svg");
  html.markup("\" type=\"image/svg+xml\">\n<link rel=\"stylesheet\" href=\"");
  write_asset(html, "site.css");
  html.markup("\">\n<script src=\"");
  write_asset(html, "site.js");
  html.markup("\" defer></script>\n</head>\n");
}

void write_header(Html& html, const Frame& frame) {
  html.markup("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\">");
  html.markup("<a class=\"brand\" href=\"/\"><svg class=\"logo\" viewBox=\"0 0 20 20\" aria-hidden=\"true\">");
  html.markup("<rect class=\"l1\" x=\"1\" y=\"1\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l2\" x=\"11\" y=\"1\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l2\" x=\"1\" y=\"11\" width=\"8\" height=\"8\" rx=\"2\"/>");
  html.markup("<rect class=\"l1\" x=\"11\" y=\"11\" width=\"8\" height=\"8\" rx=\"2\"/></svg>maintserve</a>");
  html.markup("<nav class=\"pages\" aria-label=\"Pages\">");
  const auto link = [&](Section section, Html::Literal path, Html::Literal name) {
    html.markup("<a href=\"").markup(path).markup("\"");
    if (section == frame.section) html.markup(" aria-current=\"page\"");
    html.markup(">").markup(name).markup("</a>");
  };
  link(Section::corpus, "/", "Projects");
  link(Section::people, "/-/people", "People");
  link(Section::sql, "/-/sql", "SQL");
  html.markup("</nav>\n");
  if (frame.section != Section::search) {
    html.markup(
        "<form class=\"find\" action=\"/-/search\" role=\"search\" aria-label=\"Anywhere\"><input type=\"search\" "
        "name=\"q\" ");
    html.markup("aria-label=\"Search all texts\" placeholder=\"Search, #1, CL 1, a hash\" maxlength=\"1000\"></form>");
  }
  html.markup("</header>\n");
}

/// "2021-02-01 13:00:00 UTC", or whatever to_string() makes of it.
std::string whole_time(Time time) {
  std::string text = to_string(Time{time.seconds, 0});
  if (text.size() != std::string_view("2021-02-01T13:00:00Z").size() || text.back() != 'Z') return text;
  text[10] = ' ';
  text.back() = ' ';
  return text + "UTC";
}

void write_time(Html& html, const std::optional<Time>& time, std::size_t size) {
  if (!time) {
    html.markup("<span class=\"soft\">unknown</span>");
    return;
  }
  const std::string whole = whole_time(*time);
  html.markup("<time datetime=\"").text(to_string(*time)).markup("\" title=\"").text(whole).markup("\">");
  html.text(whole.front() == '@' ? whole : whole.substr(0, size)).markup("</time>");
}

std::string write_document(const View& view, const std::string& moment, const Frame& frame, const Html& main) {
  Html html;
  write_head(html, frame);
  html.markup("<body data-moment=\"").text(moment).markup("\"");
  if (frame.live == Live::list) html.markup(" data-live=\"list\"");
  if (frame.live == Live::reading) html.markup(" data-live=\"reading\"");
  html.markup(">\n");
  write_header(html, frame);
  html.markup("<p id=\"news\" class=\"notice information\" role=\"status\" data-keep hidden></p>\n");
  html.markup("<main id=\"main\">\n").part(main).markup("</main>\n<footer><p>maintserve \xC2\xB7 as of mutation ");
  html.text(count_text(view.mutations())).markup("</p></footer>\n</body>\n</html>\n");
  return std::move(html).str();
}

}  // namespace

std::string moment_of(const View& view, const Catalog& catalog) {
  return std::to_string(view.version()) + "." + std::to_string(catalog.mutations());
}

Answer write_page(const Context& context, const Frame& frame, const Html& main) {
  return {.body = write_document(context.view, moment_of(context.view, context.catalog), frame, main)};
}

Answer write_error(const View& view, int status, const Html& main) {
  const Frame frame{.title = std::to_string(status) + " \xC2\xB7 maintserve"};
  return {.status = status, .body = write_document(view, {}, frame, main)};
}

void write_crumbs(Html& html, std::initializer_list<std::pair<std::string, std::string>> names_and_paths) {
  html.markup("<p class=\"crumbs\">");
  bool first = true;
  for (const auto& [name, path] : names_and_paths) {
    if (!std::exchange(first, false)) html.markup(" <span class=\"slash\">/</span> ");
    if (path.empty())
      html.text(name);
    else
      html.markup("<a href=\"").text(path).markup("\">").text(name).markup("</a>");
  }
  html.markup("</p>\n");
}

std::string_view state_name(const Issue& issue) {
  if (!issue.closed()) return "open";
  return issue.pull_request() && issue.has_event("merged") ? "merged" : "closed";
}

std::string_view state_name(ChangeStatus status) { return status == ChangeStatus::new_ ? "open" : name_of(status); }

void write_state(Html& html, std::string_view state) {
  html.markup("<span class=\"mark s-").text(state).markup("\">").text(state).markup("</span>");
}

void write_day(Html& html, const std::optional<Time>& time) { write_time(html, time, 10); }
void write_minute(Html& html, const std::optional<Time>& time) { write_time(html, time, 16); }

void write_user(Html& html, const std::optional<User>& user) {
  if (!user || user->login().empty()) {
    html.markup("<span class=\"soft\">somebody</span>");
    return;
  }
  html.markup("<a class=\"person\" href=\"").text(path_of_person(user->login())).markup("\">").text(user->login());
  html.markup("</a>");
}

std::string name_of_person(const Context& context, std::string_view person) {
  const std::string_view name = person_name(person), email = person_email(person);
  const std::int64_t account = account_id_of(email);
  if (account >= 0 && (name.empty() || name.starts_with("Gerrit User "))) {
    std::string known = context.catalog.account_name(account);
    if (!known.empty()) return known;
  }
  return std::string(name.empty() ? (email.empty() ? person : email) : name);
}

void write_person(Html& html, const Context& context, std::string_view person) {
  const std::string_view email = person_email(person);
  const std::int64_t account = account_id_of(email);
  const std::string name = name_of_person(context, person);
  const std::string who =
      account >= 0 ? std::to_string(account) : std::string(email.empty() ? person_name(person) : email);
  if (who.empty()) {
    html.markup("<span class=\"soft\">somebody</span>");
    return;
  }
  html.markup("<a class=\"person\" href=\"").text(path_of_person(who)).markup("\">").text(name).markup("</a>");
}

void write_commit(Html& html, const Commit& commit) {
  const std::string hex = commit.hex();
  html.markup("<a class=\"hash\" href=\"").text(path_of(commit)).markup("\"><code>").text(hex.substr(0, kShortHash));
  html.markup("</code></a>");
}

void write_label(Html& html, const Repo& repo, std::string_view label) {
  io::Params query;
  query.add("state", "all");
  query.add("label", std::string(label));
  html.markup("<a class=\"chip\" href=\"").text(path_of(repo) + "?" + query.encode()).markup("\">").text(label);
  html.markup("</a>");
}

void write_hashtags(Html& html, const Project& project, std::string_view hashtags) {
  for (const std::string_view tag : split_hashtags(hashtags)) {
    if (tag.empty()) continue;
    io::Params query;
    query.add("state", "all");
    query.add("hashtag", std::string(tag));
    html.markup(" <a class=\"chip\" href=\"").text(path_of(project) + "?" + query.encode()).markup("\">").text(tag);
    html.markup("</a>");
  }
}

void open_table(Html& html, std::string_view label, std::initializer_list<Column> columns) {
  html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").text(label);
  html.markup("\">\n<table class=\"list\">\n<thead><tr>");
  for (const Column& column : columns) {
    html.markup(column.of == kNumbers ? Html::Literal("<th scope=\"col\" class=\"count\">")
                                      : Html::Literal("<th scope=\"col\">"));
    html.markup(column.name).markup("</th>");
  }

  html.markup("</tr></thead>\n<tbody>\n");
}

void close_table(Html& html) { html.markup("</tbody>\n</table>\n</div>\n"); }

std::string address_with(const Asked& asked, const std::vector<std::pair<std::string, std::string>>& changes) {
  io::Params query;
  for (const auto& [name, value] : asked.query) {
    const bool changed =
        std::any_of(changes.begin(), changes.end(), [&name = name](const auto& c) { return c.first == name; });
    if (!changed && !value.empty()) query.add(name, value);
  }
  for (const auto& [name, value] : changes)
    if (!value.empty()) query.add(name, value);
  return query.size() == 0 ? asked.address : asked.address + "?" + query.encode();
}

void write_paging(Html& html, const Asked& asked, const Slice& slice, std::string_view noun) {
  html.markup("<p class=\"paging\"><span class=\"soft\">");
  if (slice.total == 0) {
    html.markup("No ").text(noun).markup("</span></p>\n");
    return;
  }
  html.text(count_text(slice.begin + 1)).markup(" to ").text(count_text(slice.end)).markup(" of ");
  html.text(count_text(slice.total)).markup(" ").text(noun).markup("</span>");
  const auto link = [&](std::size_t page, Html::Literal name) {
    html.markup("<a href=\"")
        .text(address_with(asked, {{"page", page == 1 ? "" : std::to_string(page)}}))
        .markup("\">");
    html.markup(name).markup("</a>");
  };
  if (slice.page > 2) link(1, "First");
  if (slice.page > 1) link(slice.page - 1, "Previous");
  if (slice.page < slice.pages) link(slice.page + 1, "Next");
  if (slice.page + 1 < slice.pages) link(slice.pages, "Last");
  html.markup("</p>\n");
}

void write_input(Html& html, std::string_view label, std::string_view name, std::string_view value,
                 const std::vector<std::string>& options) {
  html.markup("<label>").text(label).markup("<input name=\"").text(name).markup("\" value=\"").text(value);
  html.markup("\" maxlength=\"").number(static_cast<std::int64_t>(kMaxValueLength)).markup("\"");
  if (!options.empty()) html.markup(" list=\"options-").text(name).markup("\"");
  html.markup("></label>");
  if (options.empty()) return;
  html.markup("<datalist id=\"options-").text(name).markup("\">");
  for (const std::string& option : options) html.markup("<option value=\"").text(option).markup("\">");
  html.markup("</datalist>\n");
}

void write_choice(Html& html, std::string_view label, std::string_view name, std::string_view value,
                  std::initializer_list<std::pair<std::string_view, std::string_view>> options) {
  html.markup("<label>").text(label).markup("<select name=\"").text(name).markup("\">");
  for (const auto& [option, shown] : options) {
    html.markup("<option value=\"").text(option).markup("\"");
    if (option == value) html.markup(" selected");
    html.markup(">").text(shown).markup("</option>");
  }
  html.markup("</select></label>\n");
}

void write_states(Html& html, const Asked& asked, std::string_view state, std::size_t open, std::size_t closed) {
  html.markup("<nav class=\"tabs\" aria-label=\"States\">");
  const auto link = [&](std::string_view value, Html::Literal name, std::size_t count) {
    const std::string address =
        address_with(asked, {{"state", value == "open" ? "" : std::string(value)}, {"page", ""}});
    html.markup("<a href=\"").text(address).markup("\"");
    if (value == state) html.markup(" aria-current=\"page\"");
    html.markup(">").markup(name).markup(" <span>").text(count_text(count)).markup("</span></a>");
  };
  link("open", "Open", open);
  link("closed", "Closed", closed);
  link("all", "All", open + closed);
  html.markup("</nav>\n");
}

void write_lag(Html& html, const Context& context) {
  const std::uint64_t known = context.catalog.mutations();
  if (known == context.view.mutations()) return;
  html.markup("<p class=\"gap lag\">");
  if (known == 0)
    html.markup("Not all has been counted yet: what is counted, and what refers to what, comes in a moment.");
  else
    html.markup("Counts and references are as of mutation ").text(count_text(known)).markup(", a moment ago.");
  html.markup("</p>\n");
}

}  // namespace maintner::web
