// A thin owner of SQLite's C interface: a connection with its prepared statements, a use of one, a transaction.
//
// A Database and everything taken from it belongs to one thread at a time. Every error is a std::runtime_error that
// names the file, what the statement was for, and SQLite's reason.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace build::store {

/// A statement and what it is for ("write a build"), as it appears in errors. Meant for constants.
struct Sql {
  const char* purpose;
  const char* text;
};

class Database;

/// One use of a prepared statement: parameters are bound and columns read in order, one call each. The statement goes
/// back to its connection when the use ends.
class Query {
 public:
  Query(Database& database, const Sql& sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(std::int64_t value);
  Query& bind(std::string_view text);
  Query& bind(const std::optional<std::int64_t>& value);

  /// Moves to the next row; false after the last one.
  bool step();
  /// Runs a statement that has no rows to look at.
  void run();

  std::int64_t integer();
  std::string text();
  std::optional<std::int64_t> optional_integer();

 private:
  void check_bound(int code);

  Database& database_;
  const Sql& sql_;
  sqlite3_stmt* statement_;
  int parameter_ = 0;
  int column_ = 0;
};

class Database {
 public:
  enum class Access { read_write, read_only };

  /// A file that is missing is made (mode 0600) for read_write.
  Database(std::filesystem::path file, Access access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Query query(const Sql& sql) { return Query(*this, sql); }
  /// Runs one or more statements that give no rows.
  void execute(const Sql& sql);
  const std::filesystem::path& file() const { return file_; }

  /// Throws what SQLite says about the last call on this connection.
  [[noreturn]] void fail(const char* purpose) const;

 private:
  friend class Query;

  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  /// By the address of the text: statements are constants.
  std::map<const char*, sqlite3_stmt*> statements_;
};

/// Rolled back unless commit() was called.
class Transaction {
 public:
  /// `immediate` takes the write lock at once, so that what is read inside cannot change before it is written;
  /// `snapshot` only reads.
  enum class Kind { immediate, snapshot };

  Transaction(Database& database, Kind kind);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace build::store
