#pragma once

#include "state.h"

namespace maintner {

/// The same, in as few rows as it takes.
State compacted(const State& state);
/// Does that to GitHub's part or git's, if it wastes much: rows that only old copies have are left to those.
void tidy(State& state);

}  // namespace maintner
