// Finds texts in others, fast, as search() of maintner/query.h does: capital letters of ASCII's are as small ones. What
// is looked for and what is looked at are bytes, of any encoding.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace maintner {

/// Finds one text. Values; for any number of threads.
class TextMatcher {
 public:
  /// `text` is not empty.
  explicit TextMatcher(std::string_view text);

  /// Where it begins first, at `from` or later; npos if it does not.
  std::size_t find(std::string_view in, std::size_t from = 0) const noexcept;
  std::size_t size() const noexcept { return text_.size(); }

 private:
  bool is_at(const char* place) const noexcept;

  std::string text_;                    ///< without capital letters
  std::size_t first_ = 0, second_ = 0;  ///< which of its bytes are looked for: rare ones
};

/// Finds texts that have all of several words, each not within another. Values; for any number of threads.
class WordMatcher {
 public:
  /// What is between letters, digits, "_" and bytes beyond ASCII separates words. There may be none.
  explicit WordMatcher(std::string_view words);

  bool empty() const noexcept { return words_.empty(); }
  /// Where the first of them begins; npos if one is missing.
  std::size_t find(std::string_view in) const noexcept;

 private:
  std::vector<TextMatcher> words_;
};

}  // namespace maintner
