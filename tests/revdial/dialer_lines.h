// What a Dialer writes and hears on its control channel, with tokens that count.
#pragma once

#include <revdial/pickups.h>

#include <cstddef>
#include <span>
#include <string>

namespace testing {

inline constexpr const char* kKeepAliveLine = "{\"command\":\"keep-alive\"}\n";

/// The token of the `number`th conn-ready, from 0 on.
inline std::string token(int number) {
  std::string text = std::to_string(number);
  return std::string(32 - text.size(), '0') + text;
}
inline std::string path(int number) { return "/revdial?revdial.dialer=" + token(number); }
inline std::string ready_line(int number) {
  return "{\"command\":\"conn-ready\",\"connPath\":\"" + path(number) + "\"}\n";
}
/// Random bytes that make those tokens.
inline revdial::RandomBytes counting() {
  return [next = 0](std::span<std::byte> bytes) mutable {
    int rest = next++;
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, rest /= 100) {
      *byte = static_cast<std::byte>(rest % 100 / 10 * 16 + rest % 10);
    }
  };
}

inline std::string failure(const std::string& err, const std::string& conn_path) {
  return "{\"command\":\"pickup-failed\"," + (conn_path.empty() ? "" : "\"connPath\":\"" + conn_path + "\",") +
         "\"err\":\"" + err + "\"}\n";
}
inline std::string failure(const std::string& err, int number) { return failure(err, path(number)); }

}  // namespace testing
