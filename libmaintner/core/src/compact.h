#pragma once

#include "state.h"

namespace maintner {

/// The same, in as few rows as it takes.
State compacted(const State& state);
/// Whether much of it are rows that only old copies have.
bool is_wasteful(const State& state);
/// Makes GitHub's part or git's compact, if it is wasteful: rows that only old copies have are left to those.
void tidy(State& state);

}  // namespace maintner
