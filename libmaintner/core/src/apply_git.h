#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digest.h"
#include "state.h"

namespace maintner {

/// GitHub's repositories that messages name, as owner and name, which is not how they stand in the log: there may be
/// capital letters. So they are kept beside it.
using NamedRepos = std::map<std::pair<std::string, std::string>, std::pair<Ref, Ref>>;

/// Applies what git's and Gerrit's mutations say, one after the other. Touches State::git alone.
class GitApplier {
 public:
  GitApplier(State& state, NamedRepos& named, bool compat)
      : state_(state), git_(state.git), named_(named), compat_(compat) {}

  void begin_batch(bool first);
  void apply(const Digest& digest);
  /// Brings the changes up to date whose meta commits changed. Nothing is to be applied afterwards.
  void finish();

 private:
  void take_commit(const CommitDigest& commit, const Digest& digest, std::uint32_t project);
  void take_parents(CommitRow& row, const CommitDigest& commit, const Digest& digest, std::uint32_t project);
  void belongs(std::uint32_t commit, std::uint32_t project);
  void take_ref(std::uint32_t project, std::string_view name, const Hash& hash);
  void delete_ref(std::uint32_t project, std::string_view name);
  void take_change_ref(std::uint32_t project, const ChangeRefDigest& ref);
  void take_issue_refs(ChangeRow& change);
  void look_at_metas(ChangeRow& change);

  std::uint32_t commit(const Hash& hash);
  std::uint32_t project(std::string_view name);
  std::uint32_t change(std::uint32_t project, std::int32_t number);

  State& state_;
  GitState& git_;
  NamedRepos& named_;
  const bool compat_;
  std::vector<std::uint32_t> waiting_;  ///< changes whose metas are to be looked at
  std::string_view last_project_;
  std::uint32_t last_project_number_ = kNone;
  std::vector<std::uint32_t> metas_;
};

}  // namespace maintner
