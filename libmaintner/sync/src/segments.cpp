#include <maintner/segments.h>

#include <build/base/digest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "file_error.h"

namespace maintner {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kEnd = ".mutlog", kGrowing = "growing";
constexpr std::size_t kDigits = 4, kMostDigits = 18, kDigestDigits = 56;

}  // namespace

bool is_sha224(std::string_view text) {
  return text.size() == kDigestDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  if (!name.ends_with(kEnd)) return std::nullopt;
  name.remove_suffix(kEnd.size());
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot < kDigits || dot > kMostDigits || (dot > kDigits && name[0] == '0'))
    return std::nullopt;
  SegmentName parsed;
  const auto [end, error] = std::from_chars(name.data(), name.data() + dot, parsed.number);
  if (error != std::errc() || end != name.data() + dot) return std::nullopt;
  name.remove_prefix(dot + 1);
  if (name == kGrowing) return parsed;
  if (!is_sha224(name)) return std::nullopt;
  parsed.sha224 = name;
  return parsed;
}

std::string to_text(const SegmentName& name) {
  std::array<char, 24> number{};
  std::snprintf(number.data(), number.size(), "%04ju.", static_cast<std::uintmax_t>(name.number));
  return std::string(number.data()).append(name.sha224.empty() ? kGrowing : name.sha224).append(kEnd);
}

std::vector<SegmentName> segments_in(const fs::path& directory) {
  std::vector<SegmentName> names;
  for (const auto& entry : fs::directory_iterator(directory))
    if (auto name = parse_segment_name(entry.path().filename().string())) names.push_back(std::move(*name));
  std::sort(names.begin(), names.end(), [](const SegmentName& a, const SegmentName& b) {
    return a.number != b.number ? a.number < b.number : a.sha224 > b.sha224;
  });
  return names;
}

std::string sha224_of_file(const fs::path& file, std::uint64_t size) {
  const build::base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) fail("cannot open", file);
  build::base::Sha224 digest;
  std::string buffer(std::min<std::uint64_t>(size, 1 << 20), '\0');
  for (std::uint64_t done = 0; done < size;) {
    const ssize_t n =
        ::pread(fd.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), size - done), static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read", file);
    if (n == 0) throw std::runtime_error(file.string() + " has become shorter");
    digest.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
    done += static_cast<std::uint64_t>(n);
  }
  return digest.hex();
}

}  // namespace maintner
