#pragma once

#include <maintner/sql.h>

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

namespace maintq {

enum class Form { table, csv, json };

/// Rows as they come; a table is printed when all are there.
class Printer {
 public:
  /// `out` outlives it.
  Printer(Form form, std::ostream& out) : form_(form), out_(out) {}

  void row(const std::vector<std::string>& names, std::span<const maintner::SqlValue> values);
  void end(const std::vector<std::string>& names);

 private:
  void csv_line(const std::vector<std::string>& cells);

  Form form_;
  std::ostream& out_;
  std::vector<std::vector<std::string>> rows_;  ///< of a table
  std::vector<bool> numeric_;                   ///< columns that have nothing but numbers
  bool begun_ = false;
};

}  // namespace maintq
