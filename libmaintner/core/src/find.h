#pragma once

#include <maintner/query.h>

#include <cstdint>

#include "state.h"

namespace maintner {

/// What finds things may look behind them.
struct Find {
  static const State& state_of(const Thing& thing) { return thing.state(); }
  static const State& state_of(const View& view) { return view.state(); }
  static std::uint32_t row_of(const Thing& thing) { return thing.number_in_table(); }
};

}  // namespace maintner
