#include <maintner/sql.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include <sqlite3.h>

#include "table.h"

namespace maintner {

namespace {

using Steady = std::chrono::steady_clock;

constexpr int kStepsBetweenLooks = 10'000;  ///< of SQLite's machine, some tenths of a millisecond

std::vector<Table> all_tables() {
  std::vector<Table> tables = github_tables(), more = gerrit_tables();
  std::move(more.begin(), more.end(), std::back_inserter(tables));
  return tables;
}

/// What a statement may do: look at tables, and compute.
int allow(void* running, int action, const char* /*a*/, const char* b, const char* /*c*/, const char* /*d*/) {
  constexpr const char* kLoadExtension = "load_extension";
  if (static_cast<Running*>(running)->declaring) return SQLITE_OK;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return b != nullptr && sqlite3_stricmp(b, kLoadExtension) == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
      return SQLITE_DENY;
  }
}

/// How many characters SQLite counts in a text: those that follow the beginning of a longer one belong to it.
std::int64_t characters_in(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080U;
  const auto is_begin = [](char c) { return static_cast<unsigned char>(c) >= 0xc0; };
  const auto goes_on = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; };
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::uint64_t word = kHighBits;
    if (text.size() - i >= sizeof word) std::memcpy(&word, text.data() + i, sizeof word);
    if ((word & kHighBits) == 0) {
      count += sizeof word;
      i += sizeof word;
      continue;
    }
    ++count;
    if (!is_begin(text[i++])) continue;
    while (i < text.size() && goes_on(text[i])) ++i;
  }
  return count;
}

/// In place of SQLite's own, which copies a text to put a zero behind it, and then looks at byte after byte.
void length(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  const int type = sqlite3_value_type(values[0]);
  if (type == SQLITE_NULL) return sqlite3_result_null(context);
  if (type != SQLITE_TEXT) return sqlite3_result_int64(context, sqlite3_value_bytes(values[0]));
  const auto* const bytes = static_cast<const char*>(sqlite3_value_blob(values[0]));
  const std::string_view text(bytes, bytes == nullptr ? 0 : static_cast<std::size_t>(sqlite3_value_bytes(values[0])));
  sqlite3_result_int64(context, characters_in(text.substr(0, text.find('\0'))));
}

}  // namespace

struct SqlTables::Impl {
  Impl() {
    // "memdb": what does not fit a sort's own memory would otherwise go to files, to whose size there is no limit.
    if (sqlite3_open_v2(":memory:", &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
                        "memdb") != SQLITE_OK) {
      sqlite3_close(database);
      throw std::runtime_error("SQLite cannot be used");
    }
    register_tables(database, tables, running);
    sqlite3_create_function_v2(database, "length", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
                               length, nullptr, nullptr, nullptr);
    sqlite3_limit(database, SQLITE_LIMIT_SQL_LENGTH, static_cast<int>(kMaxStatement));
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, static_cast<int>(kMaxValue));
    sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
    constexpr int kDepth = 200, kTerms = 100;
    sqlite3_limit(database, SQLITE_LIMIT_EXPR_DEPTH, kDepth);
    sqlite3_limit(database, SQLITE_LIMIT_COMPOUND_SELECT, kTerms);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_set_authorizer(database, allow, &running);
    sqlite3_progress_handler(
        database, kStepsBetweenLooks, [](void* impl) { return static_cast<const Impl*>(impl)->over() ? 1 : 0; }, this);
  }
  ~Impl() { sqlite3_close(database); }

  bool stopped() const { return stop != nullptr && *stop; }
  bool over() const { return stopped() || Steady::now() > deadline; }

  const std::vector<Table> tables = all_tables();
  Running running;
  sqlite3* database = nullptr;
  Steady::time_point deadline;
  const std::atomic<bool>* stop = nullptr;
};

namespace {

struct Statement {
  ~Statement() { sqlite3_finalize(statement); }
  sqlite3_stmt* statement = nullptr;
};

SqlValue value_in(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, index)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_NULL:
      return std::monostate{};
    default: {
      const auto* const text = static_cast<const char*>(sqlite3_column_blob(statement, index));
      return std::string_view(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
    }
  }
}

std::string seconds_of(std::chrono::nanoseconds time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return std::to_string(ms) + " ms";
}

}  // namespace

SqlTables::SqlTables() : impl_(std::make_unique<Impl>()) {}
SqlTables::~SqlTables() = default;

std::vector<std::string> SqlTables::run(const View& view, std::string_view statement, const SqlLimits& limits,
                                        const Take& take) {
  if (statement.size() >= kMaxStatement) throw SqlError(SqlError::Kind::wrong, "the statement is too long");
  if (statement.find('\0') != std::string_view::npos)
    throw SqlError(SqlError::Kind::wrong, "the statement has a byte that is zero");
  impl_->running.view = &view;
  impl_->running.trouble.clear();
  impl_->deadline = Steady::now() + std::min<std::chrono::nanoseconds>(limits.time, std::chrono::hours{24});
  impl_->stop = limits.stop;
  const auto check = [&](int code, std::string_view part) {
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
    if (code == SQLITE_INTERRUPT && impl_->stopped()) throw SqlError(SqlError::Kind::stopped, "it was stopped");
    // SQLITE_FULL: what a sort spills, in "memdb", has a limit of its own, a gigabyte.
    if (code == SQLITE_NOMEM || code == SQLITE_FULL)
      throw SqlError(SqlError::Kind::wrong, "it takes more memory than it may");
    if (code == SQLITE_INTERRUPT)
      throw SqlError(SqlError::Kind::too_long, "it takes longer than " + seconds_of(limits.time));
    std::string text = impl_->running.trouble.empty() ? sqlite3_errmsg(impl_->database) : impl_->running.trouble;
    const int at = sqlite3_error_offset(impl_->database);
    std::optional<std::size_t> place;
    if (at >= 0) place = statement.size() - part.size() + static_cast<std::size_t>(at);
    if (place) text += ", at byte " + std::to_string(*place);
    if (code == SQLITE_AUTH) text += ": tables can be read, and nothing else";
    throw SqlError(SqlError::Kind::wrong, text, place);
  };
  Statement prepared;
  const char* rest = nullptr;
  check(sqlite3_prepare_v2(impl_->database, statement.data(), static_cast<int>(statement.size()), &prepared.statement,
                           &rest),
        statement);
  if (prepared.statement == nullptr) throw SqlError(SqlError::Kind::wrong, "there is no statement");
  Statement more;
  const auto left = statement.size() - static_cast<std::size_t>(rest - statement.data());
  check(sqlite3_prepare_v2(impl_->database, rest, static_cast<int>(left), &more.statement, nullptr),
        statement.substr(statement.size() - left));
  if (more.statement != nullptr) throw SqlError(SqlError::Kind::wrong, "there is more than one statement");
  if (sqlite3_bind_parameter_count(prepared.statement) > 0)
    throw SqlError(SqlError::Kind::wrong, "it has parameters, and there are no values for them");
  const int columns = sqlite3_column_count(prepared.statement);
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(columns));
  for (int i = 0; i < columns; ++i) names.emplace_back(sqlite3_column_name(prepared.statement, i));
  std::vector<SqlValue> row(static_cast<std::size_t>(columns));
  for (std::uint64_t rows = 0;; ++rows) {
    const int code = sqlite3_step(prepared.statement);
    check(code, statement);
    if (code == SQLITE_DONE) return names;
    if (rows == limits.rows)
      throw SqlError(SqlError::Kind::too_many_rows, "it has more than " + std::to_string(limits.rows) + " rows");
    for (int i = 0; i < columns; ++i) row[static_cast<std::size_t>(i)] = value_in(prepared.statement, i);
    if (!take(names, row)) return names;
  }
}

void SqlTables::limit_memory(std::uint64_t bytes) {
  sqlite3_hard_heap_limit64(static_cast<sqlite3_int64>(std::min<std::uint64_t>(bytes, INT64_MAX)));
}

std::vector<std::string> SqlTables::schema() {
  std::vector<std::string> statements;
  for (const Table& table : all_tables())
    statements.push_back(std::string("CREATE TABLE \"") + table.name + "\"(" + table.columns + ")");
  return statements;
}

}  // namespace maintner
