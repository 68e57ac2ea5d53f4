// What a stream of server-sent events is written in: positions, and text made of a log's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace build::web {

/// A place in a build's output: the logs of all steps of all attempts, one after the other. To clients it is opaque.
struct Position {
  std::int64_t attempt = 0;
  std::int64_t step = 0;     ///< index
  std::uint64_t offset = 0;  ///< in the step's log

  bool operator==(const Position&) const = default;

  /// "1.2.4096"
  std::string str() const;
  /// The inverse; nullopt for anything else.
  static std::optional<Position> parse(std::string_view text);
};

/// Cuts a log's bytes into pieces that end between characters. Feed it consecutive bytes.
class CharacterCutter {
 public:
  explicit CharacterCutter(std::uint64_t offset) : offset_(offset) {}

  struct Piece {
    std::uint64_t offset = 0;  ///< of its first byte
    std::string bytes;         ///< may be empty
  };
  /// What can be shown now: all there is but the beginning of a character whose end is missing (at most 3 bytes).
  Piece put(std::string_view bytes);
  /// The log is over: what was held back.
  Piece finish();

  /// Where to read on.
  std::uint64_t next() const { return offset_ + held_.size(); }

 private:
  std::uint64_t offset_;  ///< of the first byte of held_
  std::string held_;
};

/// "event: NAME", "id: ID" (unless empty) and "data: DATA" with the empty line behind them. None may hold a line end.
std::string event_text(std::string_view name, std::string_view id, std::string_view data);

}  // namespace build::web
