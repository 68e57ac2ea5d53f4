// What a view cannot be asked quickly, because nothing in it leads there: counts, what names an issue, which change a
// commit belongs to, who said what, commits by the first digits of their hashes.
//
// It is brought up to date in the background, by one thread, and so may lag behind the newest view; mutations() says of
// which it knows. It keeps names and numbers, no things of a view: who asks finds them in the view at hand, and looks
// whether they still are what the catalog says.
#pragma once

#include <maintner/view.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maintner::web {

struct RepoCounts {
  std::string owner, name;
  std::size_t open_issues = 0, closed_issues = 0, open_pulls = 0, closed_pulls = 0;
  std::optional<Time> newest;  ///< when the issue that was changed last was
};
struct ProjectCounts {
  std::string server, name;
  std::size_t open = 0, merged = 0, abandoned = 0;
  std::optional<Time> newest;
};
struct UserCounts {
  std::string login;
  std::size_t issues = 0, pulls = 0, assigned = 0, comments = 0;
};
/// Somebody in git and Gerrit, by an e-mail address.
struct AuthorCounts {
  std::string name, email;
  std::size_t commits = 0, changes = 0;
};

/// Of one moment.
struct Counts {
  std::uint64_t mutations = 0;
  std::vector<RepoCounts> repos;        ///< by owner, then name
  std::vector<ProjectCounts> projects;  ///< by name
  std::vector<UserCounts> users;        ///< most active first
  std::vector<AuthorCounts> authors;    ///< likewise
};

/// Somebody's comment: where it stands.
struct CommentPlace {
  std::string owner, repo;
  std::int32_t issue = 0;
  std::int64_t id = 0, seconds = 0;
};

class Catalog {
 public:
  Catalog();
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  /// For one thread at a time; everything else for any. Gives up between two steps when `stop` is true: then it is done
  /// by the next.
  void update(const View& view, const std::atomic<bool>& stop);

  /// nullptr until the first update was done.
  std::shared_ptr<const Counts> counts() const;
  /// Of how many it knows; 0 at first. Grows with each update.
  std::uint64_t mutations() const;

  /// The change with that number on `server`, or, if that is empty, on any.
  std::optional<Change> change(const View& view, std::string_view server, std::int32_t number) const;
  /// Whose patch set it is, and which.
  std::optional<std::pair<Change, std::int32_t>> change_of(const View& view, const Commit& commit) const;
  /// Whose latest patch sets name this issue; the newest first.
  std::vector<Change> changes_naming(const View& view, const Issue& issue) const;
  /// The newest `limit` ones, newest first, and how many there are.
  std::pair<std::vector<CommentPlace>, std::size_t> comments_by(std::int64_t user, std::size_t limit) const;
  /// Commits whose hash begins so, up to `limit`. `prefix` is 7 to 40 hexadecimal digits in lower case.
  std::vector<Commit> commits_with(const View& view, std::string_view prefix, std::size_t limit) const;
  /// The name of Gerrit's account with this number; empty if it is not known.
  std::string account_name(std::int64_t account) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintner::web
