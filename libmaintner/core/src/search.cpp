// How it works: everything that has texts is cut into pieces, each of which some thread searches. Pieces have numbers
// in the order in which a plain loop would come to them, so that the answer does not depend on the threads.
#include <maintner/query.h>
#include <maintner/text_matcher.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <iterator>
#include <mutex>
#include <span>
#include <tuple>
#include <utility>

#include "find.h"
#include "threads.h"

namespace maintner {

std::string_view name_of(TextKind kind) noexcept {
  switch (kind) {
    case TextKind::title:
      return "title";
    case TextKind::body:
      return "body";
    case TextKind::comment:
      return "comment";
    case TextKind::review:
      return "review";
    case TextKind::message:
      return "message";
    case TextKind::commit:
      return "commit";
  }
  return "";
}

namespace {

/// Rows of one table, one after the other, or named one by one.
struct Piece {
  enum class Of : std::uint8_t { issues, changes, commits } of;
  std::span<const std::uint32_t> rows;
  std::uint32_t first = 0, end = 0;
};

/// A hit, and where it stands among all.
struct Found {
  TextHit hit;
  std::size_t piece;
  std::uint64_t place;

  friend bool operator<(const Found& a, const Found& b) {
    return std::tie(b.hit.time, a.piece, a.place) < std::tie(a.hit.time, b.piece, b.place);
  }
};

class Search {
 public:
  Search(const View& view, const TextQuery& query)
      : view_(view), state_(Find::state_of(view)), query_(query), text_(query.text), words_(query.text) {
    if (query.words && words_.empty()) throw QueryError("there is no word to search for");
    for (std::size_t i = 0; i < wanted_.size(); ++i)
      wanted_[i] = query.kinds.empty() ||
                   std::find(query.kinds.begin(), query.kinds.end(), static_cast<TextKind>(i)) != query.kinds.end();
    if (wants(TextKind::title) || wants(TextKind::body) || wants(TextKind::comment) || wants(TextKind::review))
      for (const Repo& repo : view.github().repos())
        cut(Piece::Of::issues, state_.github.numbers[state_.github.repos[Find::row_of(repo)].issues]);
    if (wants(TextKind::message) || wants(TextKind::commit)) cut_changes();
    if (wants(TextKind::commit))
      for (std::uint32_t first = 0; first < state_.git.commits.size(); first += kCommits)
        pieces_.push_back({Piece::Of::commits, {}, first, std::min(first + kCommits, state_.git.commits.size())});
  }

  TextHits run(unsigned threads) {
    in_threads(threads == 0 ? processors() : threads, [this] { work(); });
    if (failure_) std::rethrow_exception(failure_);
    TextHits all;
    all.total = total_;
    keep_newest(found_);
    for (const Found& each : found_) all.hits.push_back(each.hit);
    return all;
  }

 private:
  static constexpr std::size_t kThings = 256;
  static constexpr std::uint32_t kCommits = 4096;

  bool wants(TextKind kind) const { return wanted_[static_cast<std::size_t>(kind)]; }

  void cut(Piece::Of of, std::span<const std::uint32_t> rows) {
    for (; !rows.empty(); rows = rows.subspan(std::min(kThings, rows.size())))
      pieces_.push_back({of, rows.first(std::min(kThings, rows.size()))});
  }

  /// Commits of changes' histories, and old patch sets, are not searched as commits.
  void cut_changes() {
    passed_over_.resize(state_.git.commits.size());
    for (const Project& project : view_.gerrit().projects()) {
      const auto rows = state_.git.numbers[state_.git.projects[Find::row_of(project)].changes];
      if (wants(TextKind::message)) cut(Piece::Of::changes, rows);
      for (const std::uint32_t row : rows) {
        const ChangeRow& change = state_.git.changes[row];
        if (!change.is_complete()) continue;
        for (const std::uint32_t meta : state_.git.numbers[change.metas]) passed_over_[meta] = true;
        for (const PatchSetRow& patch_set : state_.git.patch_sets[change.patch_sets])
          if (patch_set.version >= 1 && patch_set.version < change.version && patch_set.commit != change.commit)
            passed_over_[patch_set.commit] = true;
      }
    }
  }

  void work() {
    std::vector<Found> found;
    std::uint64_t total = 0;
    try {
      for (std::size_t piece = next_++; piece < pieces_.size() && !failed_; piece = next_++) {
        search(piece, found, total);
        // Half of what is sorted goes, or nothing is sorted.
        if (found.size() > kThings && found.size() / 2 > query_.limit) keep_newest(found);
      }
      const std::lock_guard lock(mutex_);
      total_ += total;
      std::move(found.begin(), found.end(), std::back_inserter(found_));
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      failed_ = true;
    }
  }

  void keep_newest(std::vector<Found>& found) const {
    std::sort(found.begin(), found.end());
    if (found.size() > query_.limit)
      found.erase(found.begin() + static_cast<std::ptrdiff_t>(query_.limit), found.end());
  }

  std::size_t find(std::string_view in) const noexcept { return query_.words ? words_.find(in) : text_.find(in); }

  void search(std::size_t number, std::vector<Found>& found, std::uint64_t& total) const {
    const Piece& piece = pieces_[number];
    std::uint64_t place = 0;
    const auto look = [&](TextKind kind, const auto& thing, std::int64_t id, std::string_view text, const auto& time) {
      const std::size_t at = find(text);
      if (at == text.npos) return;
      ++total;
      found.push_back({{kind, thing, id, time(), text, at}, number, place++});
    };
    for (const std::uint32_t row : piece.rows)
      piece.of == Piece::Of::issues ? search_issue(row, look) : search_change(row, look);
    for (std::uint32_t row = piece.first; row < piece.end; ++row) search_commit(row, look);
  }

  template <class Look>
  void search_issue(std::uint32_t row, const Look& look) const {
    const Issue issue(state_, row);
    if (issue.not_exist()) return;
    const auto created = [&] { return issue.created(); };
    if (wants(TextKind::title)) look(TextKind::title, issue, 0, issue.title(), created);
    if (wants(TextKind::body)) look(TextKind::body, issue, 0, issue.body(), created);
    if (wants(TextKind::comment))
      for (const Comment& comment : issue.comments())
        look(TextKind::comment, issue, comment.id, comment.body, [&] { return comment.created; });
    if (wants(TextKind::review))
      for (const Review& review : issue.reviews())
        look(TextKind::review, issue, review.id(), review.body(), [&] { return review.created(); });
  }

  template <class Look>
  void search_change(std::uint32_t row, const Look& look) const {
    if (!state_.git.changes[row].is_complete()) return;
    const Change change(state_, row);
    if (change.is_private()) return;
    // What is nowhere in the commits is in none of the messages, which take longer to get.
    const auto metas = state_.git.numbers[state_.git.changes[row].metas];
    if (std::none_of(metas.begin(), metas.end(), [&](std::uint32_t meta) {
          return find(Commit(state_, meta).message()) != std::string_view::npos;
        }))
      return;
    std::int64_t index = 0;
    for (const Message& message : change.messages())
      look(TextKind::message, change, index++, message.text, [&] {
        return std::optional(Time{message.author.seconds, 0});
      });
  }

  template <class Look>
  void search_commit(std::uint32_t row, const Look& look) const {
    const Commit commit(state_, row);
    if (commit.is_placeholder() || passed_over_[row]) return;
    look(TextKind::commit, commit, 0, commit.message(), [&] {
      return std::optional(Time{commit.committer().seconds, 0});
    });
  }

  const View& view_;
  const State& state_;
  const TextQuery& query_;
  const TextMatcher text_;
  const WordMatcher words_;
  std::array<bool, 6> wanted_{};
  std::vector<Piece> pieces_;
  std::vector<bool> passed_over_;  ///< commits

  std::atomic<std::size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::vector<Found> found_;
  std::uint64_t total_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

TextHits search(const View& view, const TextQuery& query, unsigned threads) {
  if (query.text.empty()) throw QueryError("there is no text to search for");
  if (query.text.size() > TextQuery::kMaxText)
    throw QueryError("the text to search for has more than " + std::to_string(TextQuery::kMaxText) + " bytes");
  return Search(view, query).run(threads);
}

}  // namespace maintner
