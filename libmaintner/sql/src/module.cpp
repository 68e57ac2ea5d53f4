// The virtual tables: https://www.sqlite.org/vtab.html. All are eponymous: they are there without being created.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "table.h"

namespace maintner {

namespace {

struct Registered {
  const Table& table;
  Running& running;
};

struct Vtab : sqlite3_vtab {
  explicit Vtab(const Registered& of) : sqlite3_vtab{}, registered(of) {}
  const Registered& registered;
};

struct VtabCursor : sqlite3_vtab_cursor {
  explicit VtabCursor(const Registered& of) : sqlite3_vtab_cursor{}, registered(of) {}
  const Registered& registered;
  std::unique_ptr<Cursor> rows;
  sqlite3_int64 row = 0;
};

/// Runs what may throw: nothing may be thrown through SQLite.
template <class Function>
int guarded(Running& running, Function function) {
  try {
    function();
    return SQLITE_OK;
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  } catch (const std::exception& error) {
    running.trouble = error.what();
    return SQLITE_ERROR;
  }
}

int connect(sqlite3* database, void* aux, int /*argc*/, const char* const* /*argv*/, sqlite3_vtab** made,
            char** /*error*/) {
  const Registered& registered = *static_cast<Registered*>(aux);
  return guarded(registered.running, [&] {
    const std::string schema = std::string("CREATE TABLE x(") + registered.table.columns + ")";
    registered.running.declaring = true;
    const int code = sqlite3_declare_vtab(database, schema.c_str());
    registered.running.declaring = false;
    if (code != SQLITE_OK) throw std::runtime_error(std::string(registered.table.name) + " has a wrong schema");
    sqlite3_vtab_config(database, SQLITE_VTAB_DIRECTONLY);
    *made = new Vtab(registered);
  });
}

int disconnect(sqlite3_vtab* vtab) {
  delete static_cast<Vtab*>(vtab);
  return SQLITE_OK;
}

std::optional<Asked::Op> op_for(AskedColumn::As as, unsigned char sqlite_op) {
  if (as == AskedColumn::As::like)
    return sqlite_op == SQLITE_INDEX_CONSTRAINT_LIKE ? std::optional(Asked::Op::like) : std::nullopt;
  switch (sqlite_op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      return as == AskedColumn::As::time ? std::nullopt : std::optional(Asked::Op::equal);
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE:
      return as == AskedColumn::As::time ? std::optional(Asked::Op::at_least) : std::nullopt;
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE:
      return as == AskedColumn::As::time ? std::optional(Asked::Op::at_most) : std::nullopt;
    default:
      return std::nullopt;
  }
}

/// One that compares otherwise finds also what is not the same.
bool compares_bytes(sqlite3_index_info* info, int constraint) {
  return sqlite3_stricmp(sqlite3_vtab_collation(info, constraint), "BINARY") == 0;
}

/// Uses what the table can make use of. The plan, which read_asked() reads, has two letters for each value.
int best_index(sqlite3_vtab* vtab, sqlite3_index_info* info) {
  const Table& table = static_cast<Vtab*>(vtab)->registered.table;
  double rows = table.rows, looked_at = table.rows;
  std::string plan;
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    for (std::size_t use = 0; use < table.asked.size(); ++use) {
      const AskedColumn& asked = table.asked[use];
      const auto op = op_for(asked.as, constraint.op);
      if (constraint.usable == 0 || constraint.iColumn != asked.column || !op || !compares_bytes(info, i)) continue;
      plan += {static_cast<char>('a' + use), static_cast<char>('a' + static_cast<int>(*op))};
      info->aConstraintUsage[i].argvIndex = static_cast<int>(plan.size() / 2);
      rows /= asked.divides;
      if (asked.as != AskedColumn::As::like) looked_at /= asked.divides;
    }
  }
  info->idxStr = sqlite3_mprintf("%s", plan.c_str());
  if (info->idxStr == nullptr) return SQLITE_NOMEM;
  info->needToFreeIdxStr = 1;
  info->estimatedRows = static_cast<sqlite3_int64>(std::max(rows, 1.0));
  info->estimatedCost = std::max(looked_at, 1.0);
  return SQLITE_OK;
}

int open(sqlite3_vtab* vtab, sqlite3_vtab_cursor** made) {
  const Registered& registered = static_cast<Vtab*>(vtab)->registered;
  return guarded(registered.running, [&] { *made = new VtabCursor(registered); });
}

int close(sqlite3_vtab_cursor* cursor) {
  delete static_cast<VtabCursor*>(cursor);
  return SQLITE_OK;
}

/// Nothing if no row can fit. SQLite would compare a number with a text as it does with columns of these types.
std::optional<std::variant<std::int64_t, std::string>> value_for(AskedColumn::As as, sqlite3_value* value) {
  if (as != AskedColumn::As::number) {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(value));
    if (text == nullptr) return std::nullopt;
    return std::string(text, static_cast<std::size_t>(sqlite3_value_bytes(value)));
  }
  switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_value_int64(value)};
    case SQLITE_FLOAT: {
      const double number = sqlite3_value_double(value);
      if (!(std::abs(number) < 1e9) || number != std::floor(number)) return std::nullopt;
      return static_cast<std::int64_t>(number);
    }
    default:
      return std::nullopt;
  }
}

/// False if no row can fit.
bool read_asked(const Table& table, std::string_view plan, sqlite3_value** values, Asked& asked) {
  for (std::size_t i = 0; 2 * i < plan.size(); ++i) {
    const AskedColumn& column = table.asked[static_cast<std::size_t>(plan[2 * i] - 'a')];
    const auto op = static_cast<Asked::Op>(plan[2 * i + 1] - 'a');
    // A pattern may be anything that has a text; what is compared with times, too.
    auto value = value_for(column.as, values[i]);
    if (!value) return false;
    asked.add({column.column, op, std::move(*value)});
  }
  return true;
}

int filter(sqlite3_vtab_cursor* of, int /*number*/, const char* plan, int /*argc*/, sqlite3_value** values) {
  auto& cursor = *static_cast<VtabCursor*>(of);
  const Registered& registered = cursor.registered;
  return guarded(registered.running, [&] {
    Asked asked;
    cursor.row = 0;
    cursor.rows.reset();
    if (read_asked(registered.table, plan, values, asked))
      cursor.rows = registered.table.open(*registered.running.view, asked);
  });
}

int next(sqlite3_vtab_cursor* of) {
  auto& cursor = *static_cast<VtabCursor*>(of);
  ++cursor.row;
  return guarded(cursor.registered.running, [&] { cursor.rows->next(); });
}

int at_end(sqlite3_vtab_cursor* of) {
  const auto& cursor = *static_cast<VtabCursor*>(of);
  return cursor.rows == nullptr || cursor.rows->at_end() ? 1 : 0;
}

int column(sqlite3_vtab_cursor* of, sqlite3_context* context, int index) {
  const auto& cursor = *static_cast<VtabCursor*>(of);
  return guarded(cursor.registered.running, [&] {
    Out out(context);
    cursor.rows->column(index, out);
  });
}

int row_id(sqlite3_vtab_cursor* of, sqlite3_int64* id) {
  *id = static_cast<VtabCursor*>(of)->row;
  return SQLITE_OK;
}

const sqlite3_module& the_module() {
  static const sqlite3_module module = [] {
    sqlite3_module all{};
    all.xConnect = connect;
    all.xBestIndex = best_index;
    all.xDisconnect = disconnect;
    all.xDestroy = disconnect;
    all.xOpen = open;
    all.xClose = close;
    all.xFilter = filter;
    all.xNext = next;
    all.xEof = at_end;
    all.xColumn = column;
    all.xRowid = row_id;
    return all;
  }();
  return module;
}

}  // namespace

void register_tables(sqlite3* database, const std::vector<Table>& tables, Running& running) {
  for (const Table& table : tables) {
    const auto destroy = [](void* registered) { delete static_cast<Registered*>(registered); };
    sqlite3_create_module_v2(database, table.name, &the_module(), new Registered{table, running}, destroy);
  }
}

}  // namespace maintner
