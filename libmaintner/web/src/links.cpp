#include "links.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace maintner::web {

namespace {

constexpr std::size_t kMaxLinks = 2000;  ///< in a text; what follows is text
constexpr std::size_t kLeastHash = 7, kWholeHash = 40;
constexpr std::string_view kGo = "go.googlesource.com";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool is_name_part(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}
/// What a reference cannot stand right behind, or right before.
bool is_word(char c) { return is_name_part(c) && c != '.' && c != '-'; }

/// The number at the beginning of `text`, from 1 on, and how many digits it has.
std::optional<std::pair<std::int32_t, std::size_t>> number_at(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  std::int32_t number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + end, number);
  if (error != std::errc() || at != text.data() + end || number < 1) return std::nullopt;
  if (end < text.size() && is_word(text[end])) return std::nullopt;
  return std::pair(number, end);
}

std::optional<Issue> known_issue(const Repo& repo, std::int32_t number) {
  const auto issue = repo.issue(number);
  return issue && !issue->not_exist() ? issue : std::nullopt;
}

/// A text without the punctuation that ends a sentence.
std::string_view without_punctuation(std::string_view url) {
  while (!url.empty()) {
    const char last = url.back();
    const bool closing = last == ')' && url.find('(') == std::string_view::npos;
    if (!closing && std::string_view(".,;:!?'\"*_~").find(last) == std::string_view::npos) break;
    url.remove_suffix(1);
  }
  return url;
}

bool ends_url(char c) {
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '<' || c == '>' || c == '"' || c == '`';
}

/// Goes through a text once, and writes what it finds.
class LinkWriter {
 public:
  LinkWriter(Html& html, const Context& context, const Surroundings& around, std::string_view text)
      : html_(html), context_(context), around_(around), text_(text) {}

  void write() {
    while (at_ < text_.size() && links_ < kMaxLinks)
      if (!(can_begin() && look())) ++at_;
    flush(text_.size());
  }

 private:
  bool can_begin() const { return at_ == 0 || !is_word(text_[at_ - 1]); }

  bool look() {
    const char c = text_[at_];
    const std::string_view rest = text_.substr(at_);
    if (c == '#') return issue_of_repo(rest);
    if (c == 'h' && (rest.starts_with("http://") || rest.starts_with("https://"))) return url(rest);
    if (c == 'C' && rest.starts_with("CL ") && change(rest, 3, around_.server)) return true;
    if (c == 'g' && named_change(rest)) return true;
    if (is_lower_hex(c) && hash(rest)) return true;
    return is_name_part(c) && c != '.' && issue_by_name(rest);
  }

  bool url(std::string_view rest) {
    std::size_t end = 0;
    while (end < rest.size() && !ends_url(rest[end])) ++end;
    const std::string_view found = without_punctuation(rest.substr(0, end));
    if (found.size() <= std::string_view("https://").size() || !is_web_address(found)) return false;
    flush(at_);
    write_link(html_, context_, found, found);
    done(found.size());
    return true;
  }

  bool issue_of_repo(std::string_view rest) {
    const auto number = number_at(rest.substr(1));
    if (!number || !around_.repo) return false;
    const auto issue = known_issue(*around_.repo, number->first);
    return issue && link(path_of(*issue), number->second + 1);
  }

  /// "owner/repo#1". Where it is none, the name is passed over as a whole: nothing is looked at twice.
  bool issue_by_name(std::string_view rest) {
    std::size_t slash = 0;
    while (slash < rest.size() && is_name_part(rest[slash])) ++slash;
    const std::size_t owner_end = slash;
    if (slash == rest.size() || rest[slash] != '/') return skip(owner_end);
    std::size_t end = slash + 1;
    while (end < rest.size() && is_name_part(rest[end])) ++end;
    if (end == slash + 1 || end == rest.size() || rest[end] != '#') return skip(owner_end);
    const auto number = number_at(rest.substr(end + 1));
    if (!number) return skip(end);
    const auto repo = context_.view.github().repo(rest.substr(0, slash), rest.substr(slash + 1, end - slash - 1));
    const auto issue = repo ? known_issue(*repo, number->first) : std::nullopt;
    return issue ? link(path_of(*issue), end + 1 + number->second) : skip(end);
  }

  bool named_change(std::string_view rest) {
    constexpr std::array<std::string_view, 3> kBefore{"golang.org/cl/", "go.dev/cl/", "go-review.googlesource.com/"};
    return std::any_of(kBefore.begin(), kBefore.end(), [&](std::string_view before) {
      return rest.starts_with(before) && change(rest, before.size(), kGo);
    });
  }

  bool change(std::string_view rest, std::size_t before, std::string_view server) {
    const auto number = number_at(rest.substr(before));
    if (!number) return false;
    const auto found = context_.catalog.change(context_.view, server, number->first);
    return found && link(path_of(*found), before + number->second);
  }

  bool hash(std::string_view rest) {
    std::size_t end = 0;
    bool has_digit = false;
    while (end < rest.size() && end <= kWholeHash && is_lower_hex(rest[end])) has_digit |= is_digit(rest[end++]);
    // A word of the letters from a to f is none.
    if (end < kLeastHash || end > kWholeHash || !has_digit || (end < rest.size() && is_word(rest[end]))) return false;
    const auto commit = end == kWholeHash ? context_.view.commit(rest.substr(0, end)) : short_hash(rest.substr(0, end));
    if (!commit || commit->is_placeholder()) return false;
    return link(path_of(*commit), end);
  }

  std::optional<Commit> short_hash(std::string_view prefix) const {
    const auto found = context_.catalog.commits_with(context_.view, prefix, 2);
    return found.size() == 1 ? std::optional(found.front()) : std::nullopt;
  }

  bool link(const std::string& path, std::size_t size) {
    flush(at_);
    html_.markup("<a href=\"").text(path).markup("\">").text(text_.substr(at_, size)).markup("</a>");
    done(size);
    return true;
  }
  bool skip(std::size_t size) {
    at_ += size;
    return size > 0;
  }
  void done(std::size_t size) {
    at_ += size;
    written_ = at_;
    ++links_;
  }
  void flush(std::size_t end) {
    html_.text(text_.substr(written_, end - written_));
    written_ = end;
  }

  Html& html_;
  const Context& context_;
  const Surroundings& around_;
  std::string_view text_;
  std::size_t at_ = 0, written_ = 0, links_ = 0;
};

/// "/golang/go/issues/1", "/golang/go/pull/1", "/golang/go/commit/HASH".
std::string github_path(const Context& context, std::string_view path) {
  std::array<std::string_view, 4> parts;
  for (std::string_view& part : parts) {
    if (!path.starts_with('/')) return {};
    path.remove_prefix(1);
    part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
  }
  if (!path.empty()) return {};
  if (parts[2] == "commit") {
    const auto commit = context.view.commit(parts[3]);
    return commit && !commit->is_placeholder() ? path_of(*commit) : std::string();
  }
  if (parts[2] != "issues" && parts[2] != "pull") return {};
  const auto repo = context.view.github().repo(parts[0], parts[1]);
  const auto number = number_at(parts[3]);
  const auto issue =
      repo && number && number->second == parts[3].size() ? known_issue(*repo, number->first) : std::nullopt;
  return issue ? path_of(*issue) : std::string();
}

std::string change_path(const Context& context, std::string_view server, std::string_view digits) {
  while (digits.ends_with('/')) digits.remove_suffix(1);
  const auto number = number_at(digits);
  if (!number || number->second != digits.size()) return {};
  const auto change = context.catalog.change(context.view, server, number->first);
  return change ? path_of(*change) : std::string();
}

}  // namespace

std::string path_of(const Repo& repo) {
  return "/" + io::percent_encode(repo.owner()) + "/" + io::percent_encode(repo.name());
}

std::string path_of(const Issue& issue) { return path_of(issue.repo()) + "/" + std::to_string(issue.number()); }

std::string path_of(std::string_view server, std::string_view name) {
  const bool plain = server.ends_with(".googlesource.com") && name.find('/') == std::string_view::npos;
  return (plain ? "/" : "/-/gerrit/") + io::percent_encode(server) + "/" + io::percent_encode(name);
}

std::string path_of(const Project& project) { return path_of(project.server(), project.name()); }

std::string path_of(const Change& change) { return path_of(change.project()) + "/" + std::to_string(change.number()); }

std::string path_of(const Commit& commit) { return "/-/commit/" + commit.hex(); }

std::string path_of_person(std::string_view who) { return "/-/people/" + io::percent_encode(who); }

bool is_web_address(std::string_view url) {
  return (url.starts_with("http://") || url.starts_with("https://")) && std::none_of(url.begin(), url.end(), ends_url);
}

std::string own_path(const Context& context, std::string_view url) {
  std::string_view rest =
      url.substr(std::min(url.size(), url.starts_with("https://") ? std::size_t{8} : std::size_t{7}));
  if (rest.starts_with("www.")) rest.remove_prefix(4);
  if (rest.find_first_of("?#") != std::string_view::npos) return {};
  constexpr std::string_view kGitHub = "github.com", kReview = "-review.googlesource.com/";
  if (rest.starts_with(kGitHub)) return github_path(context, rest.substr(kGitHub.size()));
  for (const std::string_view before : {std::string_view("golang.org/cl/"), std::string_view("go.dev/cl/")})
    if (rest.starts_with(before)) return change_path(context, kGo, rest.substr(before.size()));
  const std::size_t review = rest.find(kReview);
  if (review == std::string_view::npos || review > rest.find('/')) return {};
  const std::string server = std::string(rest.substr(0, review)) + ".googlesource.com";
  rest.remove_prefix(review + kReview.size());
  const std::size_t plus = rest.find("/+/");
  if (rest.starts_with("c/") && plus != std::string_view::npos) rest.remove_prefix(plus + 3);
  return change_path(context, server, rest);
}

void write_link(Html& html, const Context& context, std::string_view url, std::string_view shown) {
  const std::string own = own_path(context, url);
  html.markup("<a href=\"").text(own.empty() ? url : std::string_view(own)).markup("\"");
  if (own.empty()) html.markup(" rel=\"nofollow noopener noreferrer\"");
  html.markup(">").text(shown).markup("</a>");
}

void write_text(Html& html, const Context& context, const Surroundings& around, std::string_view text) {
  LinkWriter(html, context, around, text).write();
}

}  // namespace maintner::web
