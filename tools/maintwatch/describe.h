#pragma once

#include <maintner/mutation.h>

#include <cstdint>
#include <string>

namespace maintwatch {

/// What somebody wants to see; what is empty (or 0) does not restrict it.
struct Wanted {
  std::string repo;     ///< of GitHub: "golang/go"
  std::string project;  ///< of Gerrit: "go.googlesource.com/go"
  std::int64_t issue = 0;

  bool matches(const maintner::Mutation& mutation) const;
};

/// In one line, for people, without control characters.
std::string describe(const maintner::Mutation& mutation);

}  // namespace maintwatch
