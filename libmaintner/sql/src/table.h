// What a table is, for the module that shows it to SQLite.
#pragma once

#include <maintner/text_matcher.h>
#include <maintner/view.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <sqlite3.h>

#include "generator.h"

namespace maintner {

/// What a statement asks of a table's columns, as far as the table can make use of it. Rows that do not fit may be left
/// out; SQLite looks at those that come once more.
class Asked {
 public:
  enum class Op : std::uint8_t { equal, at_least, at_most, like };
  struct Condition {
    int column;
    Op op;
    std::variant<std::int64_t, std::string> value;
  };

  void add(Condition condition) { conditions_.push_back(std::move(condition)); }

  /// What the column is to be equal to.
  std::optional<std::string> text(int column) const { return value<std::string>(column, Op::equal); }
  std::optional<std::int64_t> number(int column) const { return value<std::int64_t>(column, Op::equal); }
  /// The same, empty if nothing is.
  std::string name(int column) const { return text(column).value_or(std::string()); }
  /// The latest time which nothing that fits is before, and the earliest which it is before.
  std::optional<Time> from(int column) const;
  std::optional<Time> until(int column) const;
  /// Finds what is in all that fits.
  std::optional<TextMatcher> like(int column) const;

 private:
  template <class Value>
  std::optional<Value> value(int column, Op op) const {
    for (const Condition& each : conditions_)
      if (each.column == column && each.op == op) return std::get<Value>(each.value);
    return std::nullopt;
  }

  std::vector<Condition> conditions_;
};

/// A column of which a table can make use.
struct AskedColumn {
  enum class As : std::uint8_t { text, number, time, like };
  int column;
  As as;
  double divides;  ///< by how much about asking makes the rows fewer
};

inline bool fits(const std::optional<TextMatcher>& like, std::string_view text) {
  return !like || like->find(text) != std::string_view::npos;
}

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
  std::vector<AskedColumn> asked;
  double rows;  ///< of a large project, about: for the planner
  std::unique_ptr<Cursor> (*open)(const View& view, const Asked& asked);
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
