#include <build/base/subprocess.h>

#include <array>
#include <cctype>
#include <cstring>

namespace build::base {

namespace {

// Go's names, by number; they differ from strsignal() in places.
constexpr std::array<std::string_view, 32> kSignalNames = {
    "",
    "hangup",
    "interrupt",
    "quit",
    "illegal instruction",
    "trace/breakpoint trap",
    "aborted",
    "bus error",
    "floating point exception",
    "killed",
    "user defined signal 1",
    "segmentation fault",
    "user defined signal 2",
    "broken pipe",
    "alarm clock",
    "terminated",
    "stack fault",
    "child exited",
    "continued",
    "stopped (signal)",
    "stopped",
    "stopped (tty input)",
    "stopped (tty output)",
    "urgent I/O condition",
    "CPU time limit exceeded",
    "file size limit exceeded",
    "virtual timer expired",
    "profiling timer expired",
    "window changed",
    "I/O possible",
    "power failure",
    "bad system call",
};

}  // namespace

ExitStatus ExitStatus::exited(int code) {
  ExitStatus status;
  status.code_ = code;
  return status;
}

ExitStatus ExitStatus::signaled(int signal, CoreDumped core) {
  ExitStatus status;
  status.signal_ = signal;
  status.core_ = core == CoreDumped::yes;
  return status;
}

std::string ExitStatus::str() const {
  if (signal_ == 0) return "exit status " + std::to_string(code_);
  std::string text = "signal: ";
  if (static_cast<std::size_t>(signal_) < kSignalNames.size()) {
    text += kSignalNames[static_cast<std::size_t>(signal_)];
  } else {
    text += "signal " + std::to_string(signal_);
  }
  if (core_) text += " (core dumped)";
  return text;
}

std::string error_text(int error_number) {
  const char* known = strerrordesc_np(error_number);
  if (known == nullptr) return "errno " + std::to_string(error_number);
  std::string text = known;
  // "No such file" becomes "no such file", but "RFS specific error" stays.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace build::base
