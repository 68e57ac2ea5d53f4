// How far it is, on a terminal, for work that takes long.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace pargzip::tool {

using Now = std::function<std::chrono::steady_clock::time_point()>;

class Progress {
 public:
  enum class Style { none, plain, control_sequences };

  /// What stderr is good for: nothing if it is no terminal, if we are in its background, or with -q; no control
  /// sequences with NO_COLOR or on a dumb terminal.
  static Style style_of_stderr(bool quiet);

  Progress(Now now, Style style) : now_(std::move(now)), style_(style) {}

  /// `size` is how much input there is, if that is known.
  void begin(std::string name, std::optional<std::uint64_t> size);
  /// So much input has been read, so much output has been made. Says nothing in the first second.
  void update(std::uint64_t in, std::uint64_t out);
  /// Clears the line.
  void end();

 private:
  void show(const std::string& line);

  Now now_;
  Style style_;
  std::string name_;
  std::optional<std::uint64_t> size_;
  std::chrono::steady_clock::time_point begun_, next_;
  std::size_t shown_ = 0;  ///< how wide the line is that stands there
};

}  // namespace pargzip::tool
