// Records to store, numbered.
#pragma once

#include <build/model/records.h>

namespace testing {

inline const build::model::RepositoryName kRepository("zlib");
inline const build::model::BranchName kBranch("main");

/// So many seconds after the beginning of 2026.
build::model::Time at(int seconds);
/// 40 digits that end in `number`.
build::model::CommitHash hash(int number);

build::model::Commit commit(int number);
/// The place of commit(`number`) on kBranch, at position `number`.
build::model::BranchCommit place(int number);
/// A waiting build of commit(`commit`), by `builder`.
build::model::Build waiting_build(int id, int commit, const std::string& builder = "linux");
build::model::Attempt running_attempt(int build, int number);
build::model::Step running_step(int build, int attempt, int index);
build::model::Lease held_lease(int number, int build);
build::model::Session open_session(const std::string& id);

}  // namespace testing
