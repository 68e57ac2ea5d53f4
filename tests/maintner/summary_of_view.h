// All that a view says, as text: equal for equal corpora.
#pragma once

#include <maintner/view.h>

#include <string>

namespace testing {

std::string summary_of(const maintner::View& view);

}  // namespace testing
