// What a table is, for the module that shows it to SQLite.
#pragma once

#include <maintner/view.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sqlite3.h>

#include "generator.h"

namespace maintner {

/// What a statement asks for by key: columns that must have these values. Rows that do not have them may be left out.
struct Keys {
  std::optional<std::string> name;     ///< column 0 of most tables: a repository, project or commit
  std::optional<std::int64_t> number;  ///< column 1: an issue or change
};

/// Takes a column's value.
class Out {
 public:
  explicit Out(sqlite3_context* context) : context_(context) {}

  void null() { sqlite3_result_null(context_); }
  void integer(std::int64_t value) { sqlite3_result_int64(context_, value); }
  /// Of the view's: SQLite may look at it as long as the statement runs, also when its row has gone.
  void text(std::string_view value) {
    sqlite3_result_text64(context_, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void copy(std::string_view value) {
    sqlite3_result_text64(context_, value.empty() ? "" : value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  void time(const std::optional<Time>& value) { value ? copy(to_string(*value)) : null(); }
  void user(const std::optional<User>& value) { value ? text(value->login()) : null(); }

 private:
  sqlite3_context* context_;
};

class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool at_end() const noexcept = 0;
  virtual void next() = 0;
  virtual void column(int index, Out& out) const = 0;
};

template <class Row>
class RowCursor final : public Cursor {
 public:
  using Column = void (*)(const Row& row, int index, Out& out);

  RowCursor(Generator<Row> rows, Column column) : rows_(std::move(rows)), column_(column), row_(rows_.next()) {}
  bool at_end() const noexcept override { return row_ == nullptr; }
  void next() override { row_ = rows_.next(); }
  void column(int index, Out& out) const override { column_(*row_, index, out); }

 private:
  Generator<Row> rows_;
  Column column_;
  const Row* row_;
};

struct Table {
  const char* name;
  const char* columns;  ///< as in CREATE TABLE
  bool has_name_key;    ///< column 0 is one that leads to what is asked for
  bool has_number_key;  ///< column 1 is another, together with it
  double rows;          ///< of a large project, about: for the planner
  std::unique_ptr<Cursor> (*open)(const View& view, const Keys& keys);
};

template <class Row>
std::unique_ptr<Cursor> cursor_of(Generator<Row> rows, typename RowCursor<Row>::Column column) {
  return std::make_unique<RowCursor<Row>>(std::move(rows), column);
}

std::vector<Table> github_tables();
std::vector<Table> gerrit_tables();

/// What a vtab of SQLite's needs to know of the statement that runs.
struct Running {
  const View* view = nullptr;
  std::string trouble;     ///< what a table threw
  bool declaring = false;  ///< a table says what columns it has
};

/// Makes `tables` known to `database`. All outlive it.
void register_tables(sqlite3* database, const std::vector<Table>& tables, Running& running);

}  // namespace maintner
