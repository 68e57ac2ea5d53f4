#include <build/buildlet/multipart.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace build::buildlet {

namespace {

constexpr std::size_t kMaxParts = 10'000;
constexpr std::size_t kMaxBoundary = 70;

[[noreturn]] void refuse_form(const char* why) {
  throw io::HttpError(400, std::string("malformed multipart form: ") + why);
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes `name=value` or `name="value"` with its semicolon off the front of `rest`. nullopt for what is neither.
std::optional<std::pair<std::string, std::string>> take_parameter(std::string_view& rest) {
  const std::size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  std::pair<std::string, std::string> parameter{without_blanks(rest.substr(0, equals)), ""};
  rest = without_blanks(rest.substr(equals + 1));
  if (!rest.starts_with('"')) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    parameter.second = without_blanks(rest.substr(0, end));
    rest.remove_prefix(end);
  } else {
    std::size_t at = 1;
    for (; at < rest.size() && rest[at] != '"'; ++at) {
      // Browsers that escape a quotation mark do it so; a backslash in front of anything else is one.
      if (rest[at] == '\\' && at + 1 < rest.size() && (rest[at + 1] == '"' || rest[at + 1] == '\\')) ++at;
      parameter.second += rest[at];
    }
    if (at >= rest.size()) return std::nullopt;
    rest = without_blanks(rest.substr(at + 1));
    if (!rest.empty() && rest.front() != ';') return std::nullopt;
  }
  if (rest.starts_with(';')) rest.remove_prefix(1);
  return parameter;
}

// What stands behind the first semicolon of a field's value, as named values.
io::Params parameters_of(std::string_view value) {
  io::Params params;
  const std::size_t semicolon = value.find(';');
  std::string_view rest = semicolon == std::string_view::npos ? "" : value.substr(semicolon + 1);
  while (!without_blanks(rest).empty()) {
    auto parameter = take_parameter(rest);
    if (!parameter) refuse_form("a field's parameter");
    params.add(std::move(parameter->first), std::move(parameter->second));
  }
  return params;
}

// The value of Content-Disposition in a part's head.
std::string disposition_in(std::string_view head) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && io::iequals(line.substr(0, colon), "Content-Disposition")) {
      return std::string(without_blanks(line.substr(colon + 1)));
    }
  }
  return {};
}

void add_part(std::string_view part, io::Params& fields) {
  const std::size_t head_end = part.find("\r\n\r\n");
  if (head_end == std::string_view::npos) refuse_form("a part without a head");
  const std::string disposition = disposition_in(part.substr(0, head_end));
  if (!disposition.starts_with("form-data")) refuse_form("a part that is no field");
  const io::Params params = parameters_of(disposition);
  if (params.has("filename")) return;
  if (params.get("name").empty()) refuse_form("a part without a name");
  fields.add(params.get("name"), std::string(part.substr(head_end + 4)));
}

}  // namespace

bool is_multipart_form(std::string_view content_type) {
  return io::iequals(without_blanks(content_type.substr(0, content_type.find(';'))), "multipart/form-data");
}

io::Params parse_multipart_form(std::string_view content_type, std::string_view body) {
  const std::string boundary = parameters_of(content_type).get("boundary");
  if (boundary.empty() || boundary.size() > kMaxBoundary) refuse_form("no boundary");
  const std::string first = "--" + boundary, next = "\r\n--" + boundary;
  // Text in front of the first boundary is for readers that know no forms.
  const std::size_t begin = body.starts_with(first) ? 0 : body.find(next);
  if (begin == std::string_view::npos) refuse_form("its boundary does not occur");
  body.remove_prefix(begin + (begin == 0 ? first.size() : next.size()));
  io::Params fields;
  for (std::size_t count = 0; !body.starts_with("--"); ++count) {
    if (count == kMaxParts) refuse_form("too many parts");
    if (!body.starts_with("\r\n")) refuse_form("text behind a boundary");
    body.remove_prefix(2);
    const std::size_t end = body.find(next);
    if (end == std::string_view::npos) refuse_form("it is cut short");
    add_part(body.substr(0, end), fields);
    body.remove_prefix(end + next.size());
  }
  return fields;
}

}  // namespace build::buildlet
