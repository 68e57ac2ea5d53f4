#pragma once

#include <maintner/query.h>
#include <maintner/view.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "print.h"

namespace maintq {

/// A wrong command line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the flags say of which answers are wanted.
struct Wanted {
  std::string state = "open", status = "new";
  std::vector<std::string> labels, kinds;
  std::string milestone, assignee, author, owner, branch, hashtag, reviewer, path;
  std::string since, until, as_of;  ///< times
  bool words = false;
  std::int64_t limit = 0;  ///< 0: none
};

/// A question that has a name, and which flags it goes with.
struct Question {
  const char* name;
  const char* operands;  ///< "REPO NUMBER"; in brackets what may be left out
  std::vector<const char*> flags;
  void (*ask)(const maintner::View& view, const std::vector<std::string>& operands, const Wanted& wanted,
              Printer& printer);
};
const std::vector<Question>& questions();

}  // namespace maintq
