#include "commits.h"

#include <algorithm>
#include <limits>

#include "pages.h"

namespace build::web {

namespace {

constexpr std::int64_t kMaxCommits = 500;
constexpr std::size_t kMaxBuilder = 100;

/// A build's state and result that are shown as `mark`.
std::pair<model::BuildState, model::Result> kept_as(Mark mark) {
  switch (mark) {
    case Mark::waiting:
      return {model::BuildState::waiting, model::Result::none};
    case Mark::running:
      return {model::BuildState::running, model::Result::none};
    case Mark::ok:
      return {model::BuildState::finished, model::Result::ok};
    case Mark::failed:
      return {model::BuildState::finished, model::Result::failed};
    case Mark::cancelled:
      return {model::BuildState::finished, model::Result::cancelled};
    case Mark::lost:
      break;
  }
  return {model::BuildState::finished, model::Result::lost};
}

std::optional<std::int64_t> position_from(const io::Params& query, const std::string& name) {
  if (query.get(name).empty()) return std::nullopt;
  return number_from(query, name, 0, 0, std::numeric_limits<std::int64_t>::max());
}

}  // namespace

CommitWish commit_wish_from(const io::Params& query) {
  CommitWish wish;
  wish.repository = query.get("repository");
  wish.branch = query.get("branch");
  wish.builder = query.get("builder");
  if (wish.builder.size() > kMaxBuilder)
    throw net::HttpError(400, "builder must be at most " + std::to_string(kMaxBuilder) + " bytes long.");
  if (const std::string word = query.get("state"); !word.empty()) {
    const auto* const found =
        std::find_if(kMarks.begin(), kMarks.end(), [&word](Mark mark) { return word_of(mark) == word; });
    if (found == kMarks.end()) throw net::HttpError(400, "There is no state \"" + word + "\".");
    wish.state = *found;
  }
  wish.before = position_from(query, "before");
  wish.after = position_from(query, "after");
  if (query.has("limit")) wish.limit = static_cast<std::size_t>(number_from(query, "limit", 0, 1, kMaxCommits));
  return wish;
}

std::string query_of(const CommitWish& wish) {
  std::string query;
  const auto add = [&query](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    if (!query.empty()) query += '&';
    query += std::string(name) + "=" + io::percent_encode(value);
  };
  add("repository", wish.repository);
  add("branch", wish.branch);
  add("builder", wish.builder);
  if (wish.state) add("state", std::string(word_of(*wish.state)));
  if (wish.limit) add("limit", std::to_string(*wish.limit));
  return query;
}

CommitRows load_commits(const store::Store& store, const model::RepositoryName& repository,
                        const model::BranchName& branch, const CommitWish& wish, std::size_t limit) {
  store::CommitRange range{.limit = limit + 1, .before = wish.before, .after = wish.after, .builder = wish.builder};
  if (wish.state) range.with = kept_as(*wish.state);
  CommitRows page;
  page.rows = store.branch_page(repository, branch, range);
  const bool more = page.rows.size() > limit;
  if (wish.after && more) {
    page.rows.erase(page.rows.begin());
    page.newer = page.older = true;
    return page;
  }
  if (wish.after) {
    range.after.reset();
    page.rows = store.branch_page(repository, branch, range);
  }
  page.newer = wish.before.has_value();
  page.older = page.rows.size() > limit;
  if (page.older) page.rows.pop_back();
  return page;
}

}  // namespace build::web
