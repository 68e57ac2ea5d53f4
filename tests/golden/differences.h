// The deliberate differences from recorded behaviour (differences.md), for tests that replay golden data.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace testing {

struct Difference {
  std::string recorded, ours;
  friend bool operator==(const Difference&, const Difference&) = default;
};

/// A text as it stands in a cell of the table.
inline std::string table_cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') {
      cell += "\\|";
    } else {
      cell += c == '\n' ? ' ' : c;
    }
  }
  return cell;
}

/// The rows `| data | case | recorded | ours | why |` of `file` for one kind of data, by case.
inline std::map<std::string, Difference> listed_differences(const std::string& file, std::string_view data) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  std::map<std::string, Difference> listed;
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> cells;
    std::string cell;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool escaped = line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|';
      if (line[i] == '|') {
        cells.push_back(cell);
        cell.clear();
      } else {
        cell += line[i];
        if (escaped) cell += line[++i];
      }
    }
    for (std::string& each : cells) {
      const std::size_t first = each.find_first_not_of(' ');
      each = first == std::string::npos ? "" : each.substr(first, each.find_last_not_of(' ') - first + 1);
    }
    if (cells.size() != 6 || cells[1] != data) continue;
    if (!listed.emplace(cells[2], Difference{cells[3], cells[4]}).second) {
      throw std::runtime_error(file + " lists " + cells[1] + " " + cells[2] + " twice");
    }
  }
  return listed;
}

}  // namespace testing
