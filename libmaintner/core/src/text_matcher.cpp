// How it works: two bytes of the text, rare ones as texts go, are compared with sixteen places at once; where both fit,
// all of it is compared.

#include <maintner/text_matcher.h>

#include <algorithm>
#include <bit>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace maintner {

namespace {

constexpr char kCase = 0x20;

constexpr bool is_capital(char c) noexcept { return c >= 'A' && c <= 'Z'; }
constexpr char small(char c) noexcept { return is_capital(c) ? static_cast<char>(c | kCase) : c; }
constexpr bool is_small(char c) noexcept { return c >= 'a' && c <= 'z'; }
constexpr bool is_in_word(char c) noexcept {
  return is_small(small(c)) || (c >= '0' && c <= '9') || c == '_' || (static_cast<unsigned char>(c) & 0x80U) != 0;
}

/// The more frequent in English text and in programs, the higher.
int frequency(char c) noexcept {
  constexpr std::string_view kFromRarest = "zqjxkvwybpgfmucdhlrnsioate \n";
  const std::size_t at = kFromRarest.find(c);
  if (at != std::string_view::npos) return static_cast<int>(2 * at + 4);
  return c == '.' || c == '/' || (c >= '0' && c <= '9') ? 12 : 0;
}

}  // namespace

TextMatcher::TextMatcher(std::string_view text) {
  for (const char c : text) text_ += small(c);
  const auto rarer = [&](std::size_t a, std::size_t b) { return frequency(text_[a]) < frequency(text_[b]); };
  for (std::size_t i = 1; i < text_.size(); ++i)
    if (rarer(i, first_)) first_ = i;
  second_ = first_ == 0 ? text_.size() - 1 : 0;
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (i != first_ && rarer(i, second_)) second_ = i;
}

bool TextMatcher::is_at(const char* place) const noexcept {
  return std::equal(text_.begin(), text_.end(), place, [](char a, char b) { return a == small(b); });
}

std::size_t TextMatcher::find(std::string_view in, std::size_t from) const noexcept {
  if (in.size() < text_.size()) return in.npos;
  const std::size_t end = in.size() - text_.size() + 1;  // it may begin before that
  std::size_t i = from;
#ifdef __SSE2__
  constexpr std::size_t kWidth = 16;
  const auto of = [](char c) { return _mm_set1_epi8(c); };
  const __m128i first = of(text_[first_]), second = of(text_[second_]);
  const __m128i first_case = of(is_small(text_[first_]) ? kCase : 0);
  const __m128i second_case = of(is_small(text_[second_]) ? kCase : 0);
  while (i < end && end >= kWidth) {
    // The last places are looked at together with some that have been.
    const std::size_t begin = std::min(i, end - kWidth);
    const auto load = [&](std::size_t at) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(in.data() + begin + at));
    };
    const __m128i fits = _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(load(first_), first_case), first),
                                       _mm_cmpeq_epi8(_mm_or_si128(load(second_), second_case), second));
    auto bits = static_cast<std::uint32_t>(_mm_movemask_epi8(fits)) >> (i - begin) << (i - begin);
    for (; bits != 0; bits &= bits - 1) {
      const std::size_t at = begin + static_cast<std::size_t>(std::countr_zero(bits));
      if (is_at(in.data() + at)) return at;
    }
    i = begin + kWidth;
  }
#endif
  for (; i < end; ++i)
    if (small(in[i + first_]) == text_[first_] && is_at(in.data() + i)) return i;
  return in.npos;
}

WordMatcher::WordMatcher(std::string_view words) {
  for (std::size_t i = 0; i < words.size();) {
    std::size_t end = i;
    while (end < words.size() && is_in_word(words[end])) ++end;
    if (end > i) words_.emplace_back(words.substr(i, end - i));
    i = end + 1;
  }
}

std::size_t WordMatcher::find(std::string_view in) const noexcept {
  std::size_t first = in.npos;
  for (const TextMatcher& word : words_) {
    std::size_t at = word.find(in);
    while (at != in.npos) {
      const std::size_t end = at + word.size();
      if ((at == 0 || !is_in_word(in[at - 1])) && (end == in.size() || !is_in_word(in[end]))) break;
      at = word.find(in, at + 1);
    }
    if (at == in.npos) return at;
    first = std::min(first, at);
  }
  return first;
}

}  // namespace maintner
