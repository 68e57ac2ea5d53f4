// The virtual tables: https://www.sqlite.org/vtab.html. All are eponymous: they are there without being created.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "table.h"

namespace maintner {

namespace {

constexpr int kByName = 1, kByNumber = 2;
constexpr double kNames = 10, kNumbers = 1e4;  ///< how many there are, about

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

/// Uses "name = ?" and "number = ?" where they are keys.
int best_index(sqlite3_vtab* vtab, sqlite3_index_info* info) {
  const Table& table = static_cast<Vtab*>(vtab)->registered.table;
  double rows = table.rows;
  int next = 1;
  for (const int key : {kByName, kByNumber}) {
    const int column = key == kByName ? 0 : 1;
    if (!(key == kByName ? table.has_name_key : table.has_number_key)) continue;
    for (int i = 0; i < info->nConstraint; ++i) {
      const auto& constraint = info->aConstraint[i];
      if (!constraint.usable || constraint.op != SQLITE_INDEX_CONSTRAINT_EQ || constraint.iColumn != column) continue;
      info->aConstraintUsage[i].argvIndex = next++;
      info->idxNum |= key;
      // A commit's hash is all of its key.
      rows /= key == kByNumber ? kNumbers : table.has_number_key ? kNames : kNumbers;
      break;
    }
  }
  info->estimatedRows = static_cast<sqlite3_int64>(std::max(rows, 1.0));
  info->estimatedCost = std::max(rows, 1.0);
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

/// What cannot be equal to any key: then there is nothing. SQLite would compare a number with a text as it does with
/// columns of these types.
bool read_keys(int used, sqlite3_value** values, Keys& keys) {
  int next = 0;
  if ((used & kByName) != 0) {
    sqlite3_value* const value = values[next++];
    const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(value));
    if (text == nullptr) return false;
    keys.name.emplace(text, static_cast<std::size_t>(sqlite3_value_bytes(value)));
  }
  if ((used & kByNumber) != 0) {
    sqlite3_value* const value = values[next];
    switch (sqlite3_value_numeric_type(value)) {
      case SQLITE_INTEGER:
        keys.number = sqlite3_value_int64(value);
        break;
      case SQLITE_FLOAT: {
        const double number = sqlite3_value_double(value);
        if (!(std::abs(number) < 1e9) || number != std::floor(number)) return false;
        keys.number = static_cast<std::int64_t>(number);
        break;
      }
      default:
        return false;
    }
  }
  return true;
}

int filter(sqlite3_vtab_cursor* of, int used, const char* /*text*/, int /*argc*/, sqlite3_value** values) {
  auto& cursor = *static_cast<VtabCursor*>(of);
  const Registered& registered = cursor.registered;
  return guarded(registered.running, [&] {
    Keys keys;
    cursor.row = 0;
    cursor.rows.reset();
    if (read_keys(used, values, keys)) cursor.rows = registered.table.open(*registered.running.view, keys);
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
