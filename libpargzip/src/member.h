// The bytes around a member's deflate data: RFC 1952, and the two extra fields that say how long the member is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "buffer.h"
#include "engine.h"

namespace pargzip {

inline constexpr std::size_t kTrailerSize = 8;
/// A header longer than this (only names and comments can make it so) is refused: it must be in memory as a whole.
inline constexpr std::size_t kMaxHeader = std::size_t{1} << 20;

struct Header {
  enum class State {
    complete,
    incomplete,  ///< more bytes are needed
    no_magic,    ///< this is not how a member begins
    damaged,
  };
  State state = State::incomplete;
  std::size_t size = 0;           ///< of the header
  std::uint64_t member_size = 0;  ///< of the whole member, as it says itself; 0: it does not say
  std::string_view complaint;     ///< what is damaged
};

/// Looks at a header that begins where `bytes` begin.
Header parse_header(std::span<const char> bytes);

struct Trailer {
  std::uint32_t crc = 0, length = 0;
};
/// `bytes` are kTrailerSize or more.
Trailer parse_trailer(std::span<const char> bytes);

/// Makes members; one for each thread.
class MemberMaker {
 public:
  /// With `sized`, members say how long they are.
  MemberMaker(int level, bool sized);
  /// The member that holds `input`, the chunk with this `number`; it lies in `output`, which is never larger than
  /// `input` and 5 bytes for each 65,535 of it and 33 bytes.
  std::span<const char> make(std::span<const char> input, std::uint64_t number, Buffer& output);

 private:
  std::size_t put_header(char* out) const;
  bool sized_;
  std::unique_ptr<engine::Compressor> compressor_;
};

}  // namespace pargzip
