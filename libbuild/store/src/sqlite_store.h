// The store on SQLite, with its list of migrations handed in (tests make their own).
#pragma once

#include "schema.h"

#include <build/store/store.h>

namespace build::store {

std::unique_ptr<Store> open_sqlite(const std::filesystem::path& directory, std::span<const Migration> migrations);

}  // namespace build::store
