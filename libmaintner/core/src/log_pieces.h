// Reading a log's bytes, piece by piece: what can be done for several pieces at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "digest.h"
#include "log_space.h"

namespace maintner {

/// Records of one file that follow each other.
struct LogPiece {
  std::size_t file_number = 0;      ///< of its owner's files
  std::string_view file;            ///< all bytes of it
  bool last = false;                ///< whether it may still grow
  std::uint64_t begin = 0;          ///< offset of the first record
  std::uint64_t end = 0;            ///< the first record that is not in this piece begins here, or later
  std::uint64_t real_end = 0;       ///< where it does, when the piece has been read; or where a torn record begins
  std::optional<std::string> torn;  ///< what is said of that
  Digest digest;
};

/// Sets real_end, torn and digest.
void read_piece(LogSpace& space, LogPiece& piece);

/// Of about `size` bytes each, from the offset `begin` on. Where one ends is a guess: real_end may say otherwise.
std::vector<LogPiece> pieces_of(std::string_view file, std::uint64_t begin, bool last, std::uint64_t size);

}  // namespace maintner
