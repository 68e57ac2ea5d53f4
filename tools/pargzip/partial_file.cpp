#include "partial_file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace pargzip::tool {

namespace {

constexpr std::array kEnding = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXCPU, SIGXFSZ};
constexpr int kTries = 100;
constexpr std::size_t kLongestName = 64;

// What a signal handler may look at.
struct Partial {
  std::atomic<bool> there = false;
  int directory = -1;
  std::array<char, kLongestName> name = {};
};
Partial partial;

void end_by_signal(int signal) {
  if (partial.there.exchange(false)) ::unlinkat(partial.directory, partial.name.data(), 0);
  // The action is the system's again (SA_RESETHAND), and the signal is not held back (SA_NODEFER).
  ::raise(signal);
}

class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : kEnding) sigaddset(&held, signal);
    ::pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~SignalsHeldBack() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

void remove_partial_file_on_signals() {
  for (const int signal : kEnding) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = end_by_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    ::sigaction(signal, &action, nullptr);
  }
}

PartialFile::PartialFile(int directory, std::string leaf, std::string name)
    : directory_(directory), leaf_(std::move(leaf)), name_(std::move(name)) {
  const SignalsHeldBack held;
  for (int i = 0; i < kTries && !fd_; ++i) {
    temporary_ = ".pargzip-" + std::to_string(::getpid()) + "-" + std::to_string(i);
    fd_ = Fd(::openat(directory_, temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd_ && errno != EEXIST) break;
  }
  if (!fd_) throw FileError(name_);
  partial.directory = directory_;
  *std::copy(temporary_.begin(), temporary_.end(), partial.name.begin()) = '\0';
  partial.there = true;
}

PartialFile::~PartialFile() {
  const SignalsHeldBack held;
  if (partial.there.exchange(false)) ::unlinkat(directory_, temporary_.c_str(), 0);
}

bool PartialFile::put_in_place(Existing existing) {
  const SignalsHeldBack held;
  // Some file systems say only now that they could not keep everything.
  if (::close(fd_.release()) != 0) throw FileError(name_);
  const unsigned flags = existing == Existing::keep ? RENAME_NOREPLACE : 0;
  int failed = ::renameat2(directory_, temporary_.c_str(), directory_, leaf_.c_str(), flags);
  // Not every file system knows how to do that in one step.
  if (failed != 0 && flags != 0 && errno == EINVAL)
    failed = ::linkat(directory_, temporary_.c_str(), directory_, leaf_.c_str(), 0);
  else if (failed == 0)
    partial.there = false;
  if (failed != 0 && errno == EEXIST) return false;
  if (failed != 0) throw FileError(name_);
  return true;
}

}  // namespace pargzip::tool
