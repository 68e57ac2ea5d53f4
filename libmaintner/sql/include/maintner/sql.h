// A corpus as tables of SQLite's: any question that SQL can ask, of one view, without a copy.
//
//   maintner::SqlTables tables;
//   tables.run(corpus.view(), "SELECT state, count(*) FROM issues GROUP BY state", {},
//              [](const std::vector<std::string>& names, std::span<const maintner::SqlValue> row) { return true; });
//
// The tables and their columns are in docs/maintner-sql.md. Nothing can be changed, and nothing but the tables be read:
// no files, no settings. What asks for one issue, change, project, repository or commit by its key finds it by index.
#pragma once

#include <maintner/view.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace maintner {

/// What is wrong with a statement, or which limit it met. what() is a sentence.
class SqlError : public std::runtime_error {
 public:
  enum class Kind { wrong, too_long, too_many_rows, stopped };
  SqlError(Kind kind, const std::string& text, std::optional<std::size_t> place = {})
      : std::runtime_error(text), kind_(kind), place_(place) {}
  Kind kind() const noexcept { return kind_; }
  /// The byte of the statement where it is wrong, if that is known. what() says it, too.
  std::optional<std::size_t> place() const noexcept { return place_; }

 private:
  Kind kind_;
  std::optional<std::size_t> place_;
};

/// Texts are good as long as the row is.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string_view>;

struct SqlLimits {
  std::chrono::nanoseconds time = std::chrono::seconds{10};  ///< of processor and wall, for all of the statement
  std::uint64_t rows = 100'000;                              ///< of the answer
  /// If it is there: ends the statement when it becomes true, in any thread.
  const std::atomic<bool>* stop = nullptr;
};

/// For one thread at a time.
class SqlTables {
 public:
  static constexpr std::size_t kMaxStatement = 1 << 20;  ///< bytes
  static constexpr std::size_t kMaxValue = 256 << 20;    ///< bytes of a text that a statement makes

  SqlTables();
  ~SqlTables();
  SqlTables(const SqlTables&) = delete;
  SqlTables& operator=(const SqlTables&) = delete;

  /// Is given each row, with the names of the columns, and says whether it wants more.
  using Take = std::function<bool(const std::vector<std::string>& names, std::span<const SqlValue> row)>;

  /// Runs one statement on `view`. Returns the names of the columns. Throws SqlError, and what `take` throws.
  std::vector<std::string> run(const View& view, std::string_view statement, const SqlLimits& limits, const Take& take);

  /// How much memory, in bytes, all statements of the process together may take for what they sort, group and keep; one
  /// that needs more is wrong. For all of SQLite that the process has. 0, as at first: no limit. What one statement
  /// sorts has a limit of a gigabyte besides.
  static void limit_memory(std::uint64_t bytes);

  /// The tables, as CREATE TABLE statements, one each.
  static std::vector<std::string> schema();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintner
