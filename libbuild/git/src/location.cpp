#include <build/git/mirror.h>

#include "text.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

namespace build::git {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 5> kSchemes{"file", "https", "http", "ssh", "git"};
constexpr std::size_t kMaxLength = 2048;

/// `text` with the user's part of a URL left out if there is a password in it.
std::string without_password(std::string_view text) {
  const auto begin = text.find("://");
  if (begin == std::string_view::npos) return std::string(text);
  const std::string_view authority = text.substr(begin + 3, text.find('/', begin + 3) - (begin + 3));
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos || authority.substr(0, at).find(':') == std::string_view::npos)
    return std::string(text);
  return std::string(text.substr(0, begin + 3)) + "..." + std::string(text.substr(begin + 3 + at));
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw std::invalid_argument("cannot use the repository \"" + one_line(without_password(text), 200) + "\": " + why);
}

bool is_scheme_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

/// The first line of a small file, without what `prefix` it must have; nothing if it is not like that.
std::optional<std::string> read_pointer(const fs::path& file, std::string_view prefix) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return std::nullopt;
  std::ifstream in(file);
  std::string line(4096, '\0');
  in.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(in.gcount()));
  line.resize(std::min(line.size(), line.find('\n')));
  if (!line.starts_with(prefix) || line.size() == prefix.size()) return std::nullopt;
  return line.substr(prefix.size());
}

bool is_git_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path / "HEAD", ignored) && fs::is_directory(path / "objects", ignored) &&
         fs::is_directory(path / "refs", ignored);
}

std::optional<fs::path> find_refs(const fs::path& path) {
  std::error_code ignored;
  fs::path directory = path;
  if (fs::is_directory(path / ".git", ignored)) {
    directory = path / ".git";
  } else if (const auto target = read_pointer(path / ".git", "gitdir: ")) {
    directory = path / *target;
  }
  if (const auto common = read_pointer(directory / "commondir", "")) directory /= *common;
  if (!is_git_directory(directory)) return std::nullopt;
  directory = directory.lexically_normal();
  return directory.has_filename() ? directory : directory.parent_path();
}

std::string percent_decoded(std::string_view text) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && value(text[i + 1]) >= 0 && value(text[i + 2]) >= 0;
    if (escape) {
      const int byte = value(text[i + 1]) * 16 + value(text[i + 2]);
      if (byte == 0) refuse(text, "its path holds a NUL character");
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

Location from_url(std::string_view text, std::string_view scheme, std::string_view rest) {
  if (std::find(kSchemes.begin(), kSchemes.end(), scheme) == kSchemes.end())
    refuse(text, "of URLs only file:, https:, http:, ssh: and git: are allowed");
  if (scheme == "file") {
    if (!rest.starts_with('/')) refuse(text, "a file URL names a path of this machine: file:///srv/project.git");
    return {.url = std::string(text), .local = find_refs(percent_decoded(rest))};
  }
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const auto at = authority.rfind('@');
  const std::string_view user = at == std::string_view::npos ? std::string_view{} : authority.substr(0, at);
  const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  if (host.empty() || host.front() == ':') refuse(text, "it names no host");
  // ssh would take it for an option.
  if (host.front() == '-' || user.starts_with('-')) refuse(text, "its host begins with '-'");
  if (user.find(':') != std::string_view::npos)
    refuse(text, "it holds a password, which would be shown to people; put that into ~/.netrc");
  return {.url = std::string(text), .local = std::nullopt};
}

}  // namespace

Location Location::parse(std::string_view text) {
  if (text.empty()) throw std::invalid_argument("cannot use a repository without a URL or path");
  if (text.size() > kMaxLength) refuse(text, "it is longer than " + std::to_string(kMaxLength) + " characters");
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    refuse(text, "it holds a control character");
  if (text.front() == '-') refuse(text, "it begins with '-'");
  if (text.front() == '/') return {.url = std::string(text), .local = find_refs(text)};

  const auto scheme_end = std::find_if_not(text.begin(), text.end(), is_scheme_character) - text.begin();
  const std::string_view scheme = text.substr(0, static_cast<std::size_t>(scheme_end));
  const std::string_view rest = text.substr(scheme.size());
  if (rest.starts_with("::")) refuse(text, "remote helpers (\"" + std::string(scheme) + "::\") are not allowed");
  if (rest.starts_with("://")) return from_url(text, scheme, rest.substr(3));

  const auto colon = text.find(':');
  if (colon != std::string_view::npos && text.find('/') > colon && scheme != "file")
    refuse(text, "write it as a URL: ssh://" + one_line(text.substr(0, colon), 100) + "/" +
                     one_line(text.substr(colon + 1), 100));
  refuse(text, "it is neither an absolute path nor a file:, https:, http:, ssh: or git: URL");
}

}  // namespace build::git
