// What libarchive takes names for follows the locale; here it is ours, not the program's.
#pragma once

#include <locale.h>

namespace tarutil {

/// While one lives, this thread has the locale `name` for characters. Where the system lacks it, nothing is changed.
template <const char* name>
class NamesLocale {
 public:
  NamesLocale() : before_(::uselocale(locale())) {}
  ~NamesLocale() { ::uselocale(before_); }
  NamesLocale(const NamesLocale&) = delete;
  NamesLocale& operator=(const NamesLocale&) = delete;

 private:
  static locale_t locale() {
    static const locale_t made = ::newlocale(LC_CTYPE_MASK, name, nullptr);
    return made;
  }
  const locale_t before_;
};

inline constexpr char kBytes[] = "C", kUtf8[] = "C.UTF-8";
/// Names are written as UTF-8, and those that are none are marked as binary.
using Utf8Names = NamesLocale<kUtf8>;
/// Names are read as they are; with UTF-8, libarchive would compose their characters.
using ByteNames = NamesLocale<kBytes>;

}  // namespace tarutil
