// Statements on a small corpus: whatever they are, there is an answer or an error; and what a table finds by key is
// what SQLite finds by looking at all of it.
#include <maintner/corpus.h>
#include <maintner/reclog.h>
#include <maintner/sql.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "maintner/made_up_project.h"

namespace fs = std::filesystem;
using namespace maintner;

namespace {

void require(bool right) {
  if (!right) std::abort();
}

const Corpus& corpus() {
  static const Corpus made = [] {
    std::string name = (fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/fuzz-sql.XXXXXX");
    require(::mkdtemp(name.data()) != nullptr);
    const fs::path file = fs::path(name) / "log";
    RecordWriter writer(file);
    MadeUpProject project(1);
    constexpr int kSteps = 300;
    for (int i = 0; i < kSteps; ++i) project.step(writer);
    auto open = std::make_shared<const build::base::UniqueFd>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    fs::remove_all(name);
    const std::vector<LogPart> parts{{file, writer.size(), open}};
    return Corpus([parts] { return parts; });
  }();
  return made;
}

std::string answer(std::string_view statement) {
  static SqlTables tables;
  std::string text;
  try {
    tables.run(corpus().view(), statement, {.time = std::chrono::milliseconds(200), .rows = 100},
               [&](const auto&, std::span<const SqlValue> row) {
                 for (const SqlValue& value : row) {
                   if (const auto* const number = std::get_if<std::int64_t>(&value)) text += std::to_string(*number);
                   if (const auto* const bytes = std::get_if<std::string_view>(&value)) text += *bytes;
                   text += ';';
                 }
                 return true;
               });
  } catch (const SqlError& error) {
    return "error";
  }
  return text;
}

struct Column {
  const char *table, *name;
  bool is_number = false;
};
constexpr std::array kColumns{Column{"issues", "repo"},
                              Column{"issues", "state"},
                              Column{"issues", "title"},
                              Column{"issues", "body"},
                              Column{"issues", "user"},
                              Column{"issues", "milestone"},
                              Column{"issues", "number", true},
                              Column{"comments", "body"},
                              Column{"issue_labels", "label"},
                              Column{"issue_assignees", "user"},
                              Column{"changes", "project"},
                              Column{"changes", "status"},
                              Column{"changes", "branch"},
                              Column{"changes", "owner"},
                              Column{"changes", "owner_id", true},
                              Column{"messages", "message"},
                              Column{"change_hashtags", "hashtag"},
                              Column{"reviewers", "name"},
                              Column{"reviewers", "email"},
                              Column{"commits", "author"},
                              Column{"commits", "author_email"},
                              Column{"commits", "committed"},
                              Column{"commits", "message"},
                              Column{"files", "name"}};
constexpr std::array kOperators{"=", "LIKE", "<", "<=", ">", ">=", "IS", "IN"};

/// The same question, once by index if there is one, and once by looking at everything: a column with "+" before it is
/// not one that is asked for.
void compare(const Column& column, std::size_t which, std::string_view value) {
  std::string quoted = "'";
  for (const char c : value) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  quoted += '\'';
  // Without a column's type, a number is no text.
  if (column.is_number) quoted = "CAST(" + quoted + " AS INTEGER)";
  const std::string name = column.name, oper = kOperators[which];
  const std::string right = " " + oper + (oper == "IN" ? " (" + quoted + ", 'x')" : " " + quoted);
  if (column.is_number && (oper == "LIKE" || oper == "IN")) return;
  const auto ask = [&](const char* plus) {
    return answer("SELECT count(*), min(" + name + "), max(" + name + ") FROM " + column.table + " WHERE " + plus +
                  name + right);
  };
  const std::string found = ask(""), looked = ask("+");
  require(found == looked || found == "error" || looked == "error");  // the other one is longer
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const unsigned column_number = data[0] - unsigned{'a'};
  if (column_number < kColumns.size()) {
    const std::size_t which = static_cast<unsigned char>(text[0]) % kOperators.size();
    compare(kColumns[column_number], which, std::string_view(text).substr(1));
    return 0;
  }
  constexpr std::array<const char*, 4> kTables{"issues", "comments", "issue_labels", "events"};
  const unsigned which = data[0] - unsigned{'0'};
  if (which >= 2 * kTables.size()) {
    answer(text);
    return 0;
  }
  // A value for a key: an expression without columns, so that both sides are the same.
  if (text.find_first_of("'\"`[;-/") != std::string::npos || text.find("random") != std::string::npos) return 0;
  const std::string from = std::string("SELECT count(*) FROM ") + kTables[which % kTables.size()] + " WHERE ";
  const std::string column = which < kTables.size() ? "number" : "repo";
  const std::string value = "(SELECT " + text + ")";
  const std::string found = answer(from + column + " = " + value),
                    looked = answer(from + column + " BETWEEN " + value + " AND " + value);
  require(found == looked || found == "error" || looked == "error");  // the other one is longer
  return 0;
}
