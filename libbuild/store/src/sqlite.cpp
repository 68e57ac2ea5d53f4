#include "sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace build::store {

namespace {

constexpr int kBusyTimeoutMilliseconds = 10'000;
constexpr Sql kBeginImmediate{"begin a change", "BEGIN IMMEDIATE"};
constexpr Sql kBeginSnapshot{"begin a query", "BEGIN"};
constexpr Sql kCommit{"commit", "COMMIT"};
constexpr Sql kForeignKeyCheck{"find rows that refer to nothing", "PRAGMA foreign_key_check"};

/// Makes the file before SQLite does, so that nobody else can read it (its -wal and -shm files take over its mode),
/// and so that the kernel's reason is known when that fails. Its name is made durable too.
void make_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) throw std::runtime_error("cannot open " + file.string() + ": " + std::strerror(errno));
  ::close(descriptor);
  const int directory = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0)
    throw std::runtime_error("cannot open " + file.parent_path().string() + ": " + std::strerror(errno));
  const int result = ::fsync(directory);
  const int error = errno;
  ::close(directory);
  if (result != 0) throw std::runtime_error("cannot sync " + file.parent_path().string() + ": " + std::strerror(error));
}

}  // namespace

Query::Query(Database& database, const Sql& sql) : database_(database), sql_(sql) {
  const auto found = database.statements_.find(sql.text);
  if (found != database.statements_.end() && !sqlite3_stmt_busy(found->second)) {
    statement_ = found->second;
    return;
  }
  if (found != database.statements_.end())
    throw std::logic_error(std::string("the statement to ") + sql.purpose + " is already in use");
  if (sqlite3_prepare_v3(database.handle_, sql.text, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK)
    database.fail(sql.purpose);
  database.statements_.emplace(sql.text, statement_);
}

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::check_bound(int code) {
  if (code != SQLITE_OK) database_.fail(sql_.purpose);
}

Query& Query::bind(std::int64_t value) {
  check_bound(sqlite3_bind_int64(statement_, ++parameter_, value));
  return *this;
}

Query& Query::bind(std::string_view text) {
  // A null pointer would bind NULL; an empty view may have one.
  const char* bytes = text.empty() ? "" : text.data();
  check_bound(sqlite3_bind_text64(statement_, ++parameter_, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Query& Query::bind(const std::optional<std::int64_t>& value) {
  if (value) return bind(*value);
  check_bound(sqlite3_bind_null(statement_, ++parameter_));
  return *this;
}

bool Query::step() {
  column_ = 0;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(sql_.purpose);
  return false;
}

void Query::run() {
  while (step()) {
  }
}

std::int64_t Query::integer() { return sqlite3_column_int64(statement_, column_++); }

std::string Query::text() {
  const int column = column_++;
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::int64_t> Query::optional_integer() {
  if (sqlite3_column_type(statement_, column_) == SQLITE_NULL) {
    ++column_;
    return std::nullopt;
  }
  return integer();
}

Database::Database(std::filesystem::path file, Access access) : file_(std::move(file)) {
  if (access == Access::read_write) make_file(file_);
  const int flags = SQLITE_OPEN_NOMUTEX | (access == Access::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
  if (sqlite3_open_v2(file_.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    // A handle exists even then, unless there was no memory for it.
    const std::string reason = handle_ ? sqlite3_errmsg(handle_) : "out of memory";
    sqlite3_close_v2(handle_);
    throw std::runtime_error("cannot open " + file_.string() + ": " + reason);
  }
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, kBusyTimeoutMilliseconds);
}

Database::~Database() {
  for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

void Database::execute(const Sql& sql) {
  if (sqlite3_exec(handle_, sql.text, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql.purpose);
}

void Database::fail(const char* purpose) const {
  std::string text = file_.string() + ": cannot " + purpose + ": " + sqlite3_errmsg(handle_);
  const int system_error = sqlite3_system_errno(handle_);
  const int code = sqlite3_errcode(handle_) & 0xff;
  const bool from_the_system = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL;
  if (from_the_system && system_error != 0) text += std::string(" (") + std::strerror(system_error) + ")";
  throw std::runtime_error(text);
}

Transaction::Transaction(Database& database, Kind kind) : database_(database) {
  database_.execute(kind == Kind::immediate ? kBeginImmediate : kBeginSnapshot);
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute({"roll back", "ROLLBACK"});
  } catch (const std::exception&) {
    // SQLite has rolled back by itself (a full disk, for example); the error that led here is on its way.
  }
}

void Transaction::commit() {
  try {
    database_.execute(kCommit);
  } catch (const std::exception& error) {
    // A row that refers to nothing is only noticed here, and SQLite does not say which; the transaction is still
    // open and can be asked.
    auto broken = database_.query(kForeignKeyCheck);
    if (!broken.step()) throw;
    const std::string table = broken.text();
    broken.integer();
    const std::string parent = broken.text();
    throw std::runtime_error(std::string(error.what()) + " (a row of " + table + " refers to no row of " + parent +
                             ")");
  }
  open_ = false;
}

}  // namespace build::store
