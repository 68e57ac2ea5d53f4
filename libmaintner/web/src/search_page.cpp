#include <maintner/query.h>

#include <algorithm>
#include <array>

#include "layout.h"

namespace maintner::web {

using build::html::clipped;
using build::html::count_text;

namespace {

constexpr std::size_t kHitsPerPage = 25, kMostPages = 40;
constexpr std::array kKinds{TextKind::title,  TextKind::body,    TextKind::comment,
                            TextKind::review, TextKind::message, TextKind::commit};

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }

std::string in_lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return result;
}

bool is_in_word(char c) {
  return c == '_' || (c & 0x80) != 0 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// What is marked: the text itself, or each of its words.
std::vector<std::string> wanted_parts(const TextQuery& query) {
  const std::string text = in_lower(query.text);
  if (!query.words) return {text};
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_in_word(text[end])) ++end;
    if (end > i) parts.push_back(text.substr(i, end - i));
    i = std::max(end, i + 1);
  }
  return parts;
}

/// How many bytes at `at` are to be marked.
std::size_t marked_at(const std::string& text, std::size_t at, const std::vector<std::string>& parts, bool words) {
  for (const std::string& part : parts) {
    if (text.compare(at, part.size(), part) != 0) continue;
    const std::size_t end = at + part.size();
    const bool whole = (at == 0 || !is_in_word(text[at - 1])) && (end == text.size() || !is_in_word(text[end]));
    if (!words || whole) return part.size();
  }
  return 0;
}

void write_snippet(Html& html, const TextHit& hit, const TextQuery& query) {
  constexpr std::size_t kBefore = 90, kBehind = 260;
  std::size_t begin = hit.at > kBefore ? hit.at - kBefore : 0;
  std::size_t end = std::min(hit.text.size(), hit.at + kBehind);
  while (begin < hit.at && is_continuation(hit.text[begin])) ++begin;
  while (end < hit.text.size() && is_continuation(hit.text[end])) ++end;
  const std::string_view shown = hit.text.substr(begin, end - begin);
  const std::string lower = in_lower(shown);
  const std::vector<std::string> parts = wanted_parts(query);
  html.markup("<p class=\"snippet\">");
  if (begin > 0) html.markup("\xE2\x80\xA6");
  std::size_t written = 0;
  for (std::size_t i = 0; i < shown.size();) {
    const std::size_t size = marked_at(lower, i, parts, query.words);
    if (size == 0) {
      ++i;
      continue;
    }
    html.text(shown.substr(written, i - written)).markup("<mark>").text(shown.substr(i, size)).markup("</mark>");
    i += size;
    written = i;
  }
  html.text(shown.substr(written));
  if (end < hit.text.size()) html.markup("\xE2\x80\xA6");
  html.markup("</p>\n");
}

struct HitLink {
  std::string path, name, title;
};

HitLink link_of(const TextHit& hit) {
  if (const auto* const issue = std::get_if<Issue>(&hit.thing)) {
    HitLink link{path_of(*issue), issue->repo().id() + "#" + std::to_string(issue->number()),
                 std::string(issue->title())};
    const std::string id = std::to_string(hit.id);
    if (hit.kind == TextKind::comment) link.path += "?comment=" + id + "#comment-" + id;
    if (hit.kind == TextKind::review) link.path += "#review-" + id;
    return link;
  }
  if (const auto* const change = std::get_if<Change>(&hit.thing))
    return {path_of(*change) + "#message-" + std::to_string(hit.id),
            std::string(change->project().name()) + " CL " + std::to_string(change->number()), change->subject()};
  const Commit& commit = std::get<Commit>(hit.thing);
  return {path_of(commit), commit.hex().substr(0, 10), std::string(commit.summary())};
}

void write_hit(Html& html, const TextHit& hit, const TextQuery& query) {
  const HitLink link = link_of(hit);
  html.markup("<li><a class=\"title\" href=\"").text(link.path).markup("\">").text(clipped(link.title, 150));
  html.markup("</a> <span class=\"by\">")
      .text(link.name)
      .markup(" \xC2\xB7 ")
      .text(name_of(hit.kind))
      .markup(" \xC2\xB7 ");
  write_day(html, hit.time);
  html.markup("</span>");
  write_snippet(html, hit, query);
  html.markup("</li>\n");
}

TextQuery text_query(const Asked& asked) {
  TextQuery query;
  query.text = value_of(asked, "q", TextQuery::kMaxText);
  query.words = asked.query.get("words") == "1";
  for (const std::string& name : asked.query.all("kind")) {
    if (name.empty()) continue;
    const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](TextKind k) { return name_of(k) == name; });
    if (kind == kKinds.end()) throw Refusal(400, "kind must be title, body, comment, review, message or commit.");
    query.kinds.push_back(*kind);
  }
  return query;
}

void write_search_form(Html& html, const TextQuery& query) {
  html.markup(
      "<form class=\"filter wide\" method=\"get\" role=\"search\"><label>Search<input type=\"search\" name=\"q\" "
      "value=\"");
  html.text(query.text).markup("\" maxlength=\"1000\"");
  if (query.text.empty()) html.markup(" autofocus");
  html.markup("></label>");
  write_choice(html, "As", "words", query.words ? "1" : "", {{"", "one text"}, {"1", "words"}});
  const std::string kind(query.kinds.size() == 1 ? name_of(query.kinds.front()) : std::string_view());
  write_choice(html, "In", "kind", kind,
               {{"", "all texts"},
                {"title", "titles"},
                {"body", "issues"},
                {"comment", "comments"},
                {"review", "reviews"},
                {"message", "messages"},
                {"commit", "commits"}});
  html.markup("<button>Search</button></form>\n");
}

/// What the text names, if it is a number, a reference, or a hash.
Html places_named(const Context& context, std::string_view text) {
  constexpr std::size_t kMostRepos = 8;
  Html html;
  const std::string_view digits = text.starts_with('#') ? text.substr(1) : text;
  if (const auto number = build::html::parse_number(digits, INT32_MAX)) {
    std::size_t found = 0;
    for (const Repo& repo : context.view.github().repos()) {
      const auto issue = repo.issue(static_cast<std::int32_t>(*number));
      if (!issue || issue->not_exist() || found++ == kMostRepos) continue;
      html.markup("<li><a href=\"").text(path_of(*issue)).markup("\">").text(repo.id()).markup("#").number(*number);
      html.markup("</a> ").text(clipped(issue->title(), 120)).markup("</li>\n");
    }
    if (const auto change = context.catalog.change(context.view, "", static_cast<std::int32_t>(*number))) {
      html.markup("<li><a href=\"").text(path_of(*change)).markup("\">CL ").number(*number).markup("</a> ");
      html.text(clipped(change->subject(), 120)).markup("</li>\n");
    }
    return html;
  }
  Html linked;
  write_text(linked, context, {}, text);
  constexpr std::string_view kBegin = "<a href=\"/";
  if (linked.str().starts_with(kBegin)) html.markup("<li>").part(linked).markup("</li>\n");
  return html;
}

}  // namespace

Answer search_page(const Context& context, const Asked& asked) {
  TextQuery query = text_query(asked);
  Html html;
  html.markup("<h1>Search</h1>\n");
  write_search_form(html, query);
  const std::string title = query.text.empty() ? "Search" : clipped(query.text, 80) + " \xC2\xB7 search";
  const Frame frame{.section = Section::search, .title = title};
  if (query.text.empty()) return write_page(context, frame, html);
  const std::size_t page = page_of(asked);
  if (page > kMostPages) throw Refusal(400, "page must be a number from 1 to " + std::to_string(kMostPages) + ".");
  query.limit = page * kHitsPerPage;
  if (wanted_parts(query).empty()) throw Refusal(400, "There is no word in what is searched for.");
  const Html named = places_named(context, trimmed(query.text));
  if (!named.str().empty()) html.markup("<ul class=\"plain named\">\n").part(named).markup("</ul>\n");
  TextHits hits;
  try {
    hits = search(context.view, query);
  } catch (const QueryError& error) {
    throw Refusal(400, std::string("This cannot be searched for: ") + error.what());
  }
  const std::size_t shown = std::min<std::size_t>(hits.total, kMostPages * kHitsPerPage);
  const Slice slice = slice_of(asked, shown, kHitsPerPage);
  write_paging(html, asked, slice, "texts");
  if (hits.total > shown)
    html.markup("<p class=\"gap\">There are ").text(count_text(hits.total)).markup(" in all.</p>\n");
  html.markup("<ol class=\"hits\" start=\"").number(static_cast<std::int64_t>(slice.begin + 1)).markup("\">\n");
  for (std::size_t i = slice.begin; i < std::min(slice.end, hits.hits.size()); ++i)
    write_hit(html, hits.hits[i], query);
  html.markup("</ol>\n");
  if (slice.pages > 1) write_paging(html, asked, slice, "texts");
  return write_page(context, frame, html);
}

}  // namespace maintner::web
