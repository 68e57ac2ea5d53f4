// What records say, in a form that can be applied without looking at their bytes again: what loading does in parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "log_space.h"
#include "state.h"

namespace maintner {

/// A commit, of git or of Gerrit.
struct CommitDigest {
  Hash hash;
  Ref raw, diff;
  Ref hg;  ///< its hash in Mercurial; mostly empty
  std::uint32_t message;
  std::uint32_t parents_begin, parents_count;  ///< in Digest::hashes
  std::uint8_t meta, files_unsorted;
};

struct GitStep {
  enum class What : std::uint8_t {
    project,     ///< `text` is the project of what follows; empty: none
    commit,      ///< `index` is in Digest::commits
    delete_ref,  ///< `text`
    ref,         ///< `text` is its name, `index` in Digest::hashes
    change_ref,  ///< `index` is in Digest::change_refs
  };
  What what;
  std::uint32_t index = 0;
  std::string_view text;
};

/// A ref of a change's: of a patch set, or of its meta commits, which is number 0.
struct ChangeRefDigest {
  Hash hash;
  std::int32_t change, patch_set;
};

/// A mutation of GitHub's, as bytes.
struct GithubStep {
  std::string_view payload;
  std::uint64_t record;  ///< where its record begins
};

/// Of a piece of a log.
struct Digest {
  std::uint64_t mutations = 0;
  std::vector<GithubStep> github;
  std::vector<GitStep> git;
  std::size_t project_at = 0;  ///< where in `git` the project began that is the last one
  std::vector<CommitDigest> commits;
  std::vector<ChangeRefDigest> change_refs;
  std::vector<Hash> hashes;
  struct Fault {
    std::uint64_t position;
    std::string why;
  };
  std::vector<Fault> faults;
  std::vector<Fault> github_faults;  ///< found when `github` was applied
};

/// Adds what one record says. `position` is where it begins.
void digest_record(LogSpace& space, std::string_view payload, std::uint64_t position, Digest& into);

}  // namespace maintner
