// Which commits a page or its JSON twin shows, as the URL says it.
#pragma once

#include <build/model/records.h>
#include <build/store/store.h>
#include <io/http1.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "layout.h"

namespace build::web {

/// Empty fields: everything.
struct CommitWish {
  std::string repository, branch;
  std::string builder;        ///< part of the name
  std::optional<Mark> state;  ///< commits with a build in this state, by such a builder
  std::optional<std::int64_t> before, after;
  std::optional<std::size_t> limit;

  bool filters() const { return !builder.empty() || state; }
};

/// Throws net::HttpError 400 for what is no state, number or sensible length.
CommitWish commit_wish_from(const io::Params& query);

/// "repository=R&branch=B&builder=P&state=S&limit=N" without what is empty; before and after are not in it.
std::string query_of(const CommitWish& wish);

struct CommitRows {
  std::vector<store::CommitBuilds> rows;  ///< newest first
  bool newer = false, older = false;      ///< there are more in that direction
};

/// Blocks: runs on the pool. What follows `after` but reaches the newest commit begins there, with `limit` rows.
CommitRows load_commits(const store::Store& store, const model::RepositoryName& repository,
                        const model::BranchName& branch, const CommitWish& wish, std::size_t limit);

}  // namespace build::web
