#include <build/coordinator/coordinator.h>

#include <algorithm>
#include <string>
#include <vector>

namespace build::coordinator {

namespace {

constexpr std::size_t kShortHash = 10;
constexpr std::size_t kSubjectWidth = 44;

std::string cell_text(const model::Build& build) {
  if (build.state != model::BuildState::finished) return std::string(name_of(build.state));
  return std::string(name_of(build.result));
}

/// What a terminal may be shown of a commit's text: printable ASCII as it is, everything else as '?'.
std::string plain(std::string_view text, std::size_t width) {
  std::string result;
  for (const unsigned char c : text) {
    if (result.size() == width) break;
    if ((c & 0xc0) == 0x80) continue;
    result += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  }
  return result;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i)
    line += i + 1 == cells.size() ? cells[i] : padded(cells[i], widths[i] + 2);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) text += line_of(row, widths);
  return text;
}

}  // namespace

std::string results_table(const config::FarmConfig& config, const store::Store& store, std::size_t commits) {
  std::string text;
  for (const auto& [repository, branch] : store.branches()) {
    const auto configured =
        std::find_if(config.repositories.begin(), config.repositories.end(),
                     [&name = repository](const auto& candidate) { return candidate.name == name; });
    if (configured == config.repositories.end()) continue;
    std::vector<std::vector<std::string>> rows(1, {"commit"});
    for (const auto& builder : configured->builders) rows.front().push_back(builder.value);
    rows.front().push_back("subject");
    for (const store::CommitBuilds& line : store.branch_page(repository, branch, {.limit = commits})) {
      std::vector<std::string> row{line.commit.hash.value.substr(0, kShortHash)};
      for (const auto& builder : configured->builders) {
        const auto build = std::find_if(line.builds.begin(), line.builds.end(),
                                        [&](const auto& candidate) { return candidate.builder == builder; });
        row.push_back(build == line.builds.end() ? "-" : cell_text(*build));
      }
      row.push_back(plain(line.commit.subject, kSubjectWidth));
      rows.push_back(std::move(row));
    }
    text += repository.value + ", branch " + branch.value + "\n" + table_text(rows);
  }
  return text;
}

}  // namespace build::coordinator
