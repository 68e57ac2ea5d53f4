#pragma once

#include <cstdint>
#include <vector>

#include "apply_git.h"
#include "apply_github.h"
#include "log_pieces.h"

namespace maintner {

/// Reads the pieces, which follow each other, and applies what they say, with so many threads. Pieces are given back as
/// they were read, without what has been applied. Throws std::system_error.
void load_pieces(std::vector<LogPiece>& pieces, LogSpace& space, GithubApplier& github, GitApplier& git,
                 unsigned threads);

}  // namespace maintner
