// The tables of the store and how they came to be, version after version.
#pragma once

#include "sqlite.h"

#include <span>

namespace build::store {

/// One step from a schema version to the next. Once released it never changes: files out there were made by it.
struct Migration {
  int version;       ///< the schema's version after it; dense, from 1
  const char* name;  ///< for people: what it brought
  const char* sql;   ///< runs in one transaction
};

/// All migrations of this program, in order. The last one's version is the version it writes.
std::span<const Migration> all_migrations();

/// Brings `database` to the version of the last of `migrations`; each migration is done wholly or not at all. Throws
/// std::runtime_error for a schema that is newer, naming both versions, and for a database that is none of ours.
void migrate(Database& database, std::span<const Migration> migrations);

}  // namespace build::store
