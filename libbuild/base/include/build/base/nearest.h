// Guessing what somebody meant to type.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace build::base {

/// The one of `known` that `unknown` most likely stands for: a name it is the beginning of, or else one that few
/// changed letters away (a third of its length, at least 2). nullptr if none is near. Points into `known`.
const std::string* nearest_name(std::string_view unknown, std::span<const std::string> known);

}  // namespace build::base
