// Mutations as JSON, for people and for programs that have no protobuf.
#pragma once

#include <maintner/mutation.h>

#include <string>
#include <string_view>

namespace maintner {

/// One line, without a line break. Fields have their names in maintpb and are in the order of their numbers; what is
/// zero, empty or absent is left out, but not in a BoolChange or StringChange. Times are RFC 3339 in UTC with the
/// digits that they need, or an object of seconds and nanos where no calendar has them. Bytes that are not UTF-8 become
/// U+FFFD. Unknown fields are left out.
std::string to_json(const Mutation& mutation);
/// A string, with its quotes.
std::string to_json(std::string_view text);

}  // namespace maintner
