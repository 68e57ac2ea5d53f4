#include "event_text.h"

#include <build/web/html.h>

#include <array>
#include <limits>
#include <utility>

#include "text.h"

namespace build::web {

std::string Position::str() const {
  return std::to_string(attempt) + "." + std::to_string(step) + "." + std::to_string(offset);
}

std::optional<Position> Position::parse(std::string_view text) {
  std::array<std::int64_t, 3> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t dot = i + 1 < numbers.size() ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto number = parse_number(text.substr(0, dot), std::numeric_limits<std::int64_t>::max());
    if (!number) return std::nullopt;
    numbers[i] = *number;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return Position{numbers[0], numbers[1], static_cast<std::uint64_t>(numbers[2])};
}

CharacterCutter::Piece CharacterCutter::put(std::string_view bytes) {
  Piece piece{offset_, std::exchange(held_, {})};
  piece.bytes += bytes;
  const std::size_t whole = piece.bytes.size() - begun_character(piece.bytes);
  held_ = piece.bytes.substr(whole);
  piece.bytes.resize(whole);
  offset_ += whole;
  return piece;
}

CharacterCutter::Piece CharacterCutter::finish() {
  Piece piece{offset_, std::exchange(held_, {})};
  offset_ += piece.bytes.size();
  return piece;
}

std::string event_text(std::string_view name, std::string_view id, std::string_view data) {
  std::string text;
  text.reserve(name.size() + id.size() + data.size() + 32);
  text.append("event: ").append(name).append("\n");
  if (!id.empty()) text.append("id: ").append(id).append("\n");
  text.append("data: ").append(data).append("\n\n");
  return text;
}

}  // namespace build::web
