#include "progress.h"

#include "messages.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

namespace pargzip::tool {

namespace {

constexpr std::chrono::seconds kSilence{1};
constexpr std::chrono::milliseconds kInterval{200};
constexpr std::size_t kUsualWidth = 80, kNarrowest = 30;

std::size_t width_of_terminal() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < kNarrowest) return kUsualWidth;
  return size.ws_col;
}

std::string in_mib(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", bytes / (1 << 20));
  return text;
}

}  // namespace

Progress::Style Progress::style_of_stderr(bool quiet) {
  if (quiet || ::isatty(STDERR_FILENO) == 0 || ::tcgetpgrp(STDERR_FILENO) != ::getpgrp()) return Style::none;
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return dumb || (no_color != nullptr && *no_color != '\0') ? Style::plain : Style::control_sequences;
}

void Progress::begin(std::string name, std::optional<std::uint64_t> size) {
  name_ = std::move(name);
  size_ = size;
  shown_ = 0;
  if (style_ == Style::none) return;
  begun_ = now_();
  next_ = begun_ + kSilence;
}

void Progress::update(std::uint64_t in, std::uint64_t out) {
  if (style_ == Style::none) return;
  const auto now = now_();
  if (now < next_) return;
  next_ = now + kInterval;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double bytes = static_cast<double>(in);
  std::string line = in_mib(bytes) + " to " + in_mib(static_cast<double>(out)) + ", " + in_mib(bytes / seconds) + "/s";
  if (size_ && *size_ > 0) {
    const double part = std::min(1.0, bytes / static_cast<double>(*size_));
    char text[48];
    std::snprintf(text, sizeof text, "%.0f%%, %.0f s left, ", part * 100, part > 0 ? seconds / part - seconds : 0);
    line = text + line;
  }
  const std::size_t room = width_of_terminal() - 1;
  const std::string name = printable(name_);
  if (name.size() + 2 + line.size() <= room) line = name + ": " + line;
  show(line.substr(0, room));
}

void Progress::show(const std::string& line) {
  std::string text = "\r" + line;
  if (style_ == Style::control_sequences) {
    text += "\x1b[K";
  } else if (line.size() < shown_) {
    text += std::string(shown_ - line.size(), ' ') + "\r" + line;
  }
  shown_ = line.size();
  std::cerr << text << std::flush;
}

void Progress::end() {
  if (shown_ == 0) return;
  show("");
  if (style_ == Style::plain) std::cerr << "\r" << std::flush;
  shown_ = 0;
}

}  // namespace pargzip::tool
