// Writing HTML so that nothing from outside can become markup.
//
// An Html takes markup only as literals of this program's source (the compiler sees to it); everything else goes
// through text(), which escapes it, in element content and in quoted attribute values alike. Values; use from any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace build::html {

class Html {
 public:
  /// A string literal.
  class Literal {
   public:
    template <std::size_t N>
    consteval Literal(const char (&text)[N]) : text_(text, N - 1) {}  // NOLINT: implicit on purpose
    constexpr std::string_view view() const { return text_; }

   private:
    std::string_view text_;
  };

  Html& markup(Literal literal) {
    out_ += literal.view();
    return *this;
  }
  /// Any bytes, made readable() and escaped.
  Html& text(std::string_view bytes);
  Html& number(std::int64_t value) {
    out_ += std::to_string(value);
    return *this;
  }
  /// What another writer made.
  Html& part(const Html& other) {
    out_ += other.out_;
    return *this;
  }

  const std::string& str() const& noexcept { return out_; }
  std::string str() && noexcept { return std::move(out_); }

 private:
  std::string out_;
};

/// Valid UTF-8 that shows what is in `bytes` and does nothing else: bytes that are not UTF-8 become U+FFFD, control
/// characters other than line feed and tab their pictures (U+2400...), characters that turn the direction of writing or
/// cannot be seen their names ("[U+202E]").
std::string readable(std::string_view bytes);

/// `bytes` as a JSON string with its quotes: valid UTF-8 (what is not becomes U+FFFD) in which control characters,
/// those that turn the direction of writing or cannot be seen, and '<', '>' and '&' are written as numbers. So a
/// terminal or a page that the JSON gets into is in no danger.
std::string json_quoted(std::string_view bytes);

/// How many bytes at the end of `bytes` are the beginning of a character whose other bytes are missing: 0 to 3.
std::size_t begun_character(std::string_view bytes);

/// The first `limit` characters, with an ellipsis if there are more.
std::string clipped(std::string_view bytes, std::size_t limit);

/// "1,234,567"
std::string count_text(std::uint64_t count);

/// A whole decimal number from 0 to `max`, nothing around it.
std::optional<std::int64_t> parse_number(std::string_view text, std::int64_t max);

}  // namespace build::html
