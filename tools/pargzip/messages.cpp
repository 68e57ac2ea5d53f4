#include "messages.h"

#include <iostream>

namespace pargzip::tool {

std::string printable(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // Also U+0080 to U+009F, which some terminals obey.
    const bool c1 = byte >= 0x80 && byte < 0xa0 && i > 0 && text[i - 1] == '\xc2';
    if (byte >= 0x20 && byte != 0x7f && !c1) {
      shown += text[i];
    } else {
      shown += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return shown;
}

void Messages::error(std::string_view subject, std::string_view what) {
  remark(subject, what);
  exit_code_ = kExitError;
}

void Messages::warning(std::string_view subject, std::string_view what) {
  if (!quiet_) remark(subject, what);
  left_alone();
}

void Messages::left_alone() {
  if (exit_code_ == kExitOk) exit_code_ = kExitWarning;
}

void Messages::remark(std::string_view subject, std::string_view what) {
  say("pargzip: " + printable(subject) + ": " + printable(what) + "\n");
}

void Messages::say(std::string_view text) { std::cerr << text << std::flush; }

}  // namespace pargzip::tool
