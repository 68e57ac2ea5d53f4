// How it works: ranges are in a table of atomics, which the handler may look through whatever it has interrupted. A
// slot is free if its begin is null; its end is written before its begin.
#include "log_space.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace maintner {

struct GuardedRange {
  std::atomic<char*> begin{nullptr}, end{nullptr};
  std::atomic<bool> taken{false}, damaged{false};
};

namespace {

std::array<GuardedRange, 256> guarded;
struct sigaction before {};

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::uint64_t in_pages(std::uint64_t size) noexcept {
  const std::uint64_t page = page_size();
  return (size + page - 1) / page * page;
}

GuardedRange* range_of(const char* address) noexcept {
  for (GuardedRange& range : guarded) {
    const char* const begin = range.begin.load();
    if (begin != nullptr && address >= begin && address < range.end.load()) return &range;
  }
  return nullptr;
}

/// As if this handler had never been there.
void hand_on(int signal, siginfo_t* info, void* context) {
  if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  // The access is made again, and then there is nobody to ask.
  ::signal(signal, SIG_DFL);
  if (info->si_code <= 0) ::raise(signal);
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  auto* const address = static_cast<char*>(info->si_addr);
  GuardedRange* const range = info->si_code > 0 ? range_of(address) : nullptr;
  if (range == nullptr) return hand_on(signal, info, context);
  char* const page = address - reinterpret_cast<std::uintptr_t>(address) % page_size();
  range->damaged = true;
  // The call itself: what stands around it in the library is not made for handlers.
  if (::syscall(SYS_mmap, page, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) < 0)
    return hand_on(signal, info, context);
  errno = error;
}

void install_handler() {
  static std::once_flag installed;
  std::call_once(installed, [] {
    page_size();  // so that the handler need not be the first to ask
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(SIGBUS, &action, &before);
  });
}

GuardedRange* guard(char* begin, std::uint64_t size) {
  install_handler();
  for (GuardedRange& range : guarded) {
    if (range.taken.exchange(true)) continue;
    range.damaged = false;
    range.end = begin + size;
    range.begin = begin;
    return &range;
  }
  throw std::system_error(EMFILE, std::generic_category(), "too many logs are open");
}

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

}  // namespace

LogSpace::LogSpace(std::uint64_t capacity) : capacity_(capacity) {
  void* const reserved = ::mmap(nullptr, capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) fail(errno, "cannot reserve addresses for a log");
  begin_ = static_cast<char*>(reserved);
  kept_begin_ = kept_ = kept_end_ = begin_ + (capacity - std::min(kForKeeping, capacity / 2));
  try {
    guard_ = guard(begin_, capacity);
  } catch (const std::system_error&) {
    ::munmap(begin_, capacity_);
    throw;
  }
}

LogSpace::~LogSpace() {
  guard_->begin = nullptr;
  ::munmap(begin_, capacity_);
  guard_->taken = false;
}

void LogSpace::read(const build::base::UniqueFd& fd, std::uint64_t offset, std::uint64_t end,
                    const std::filesystem::path& file) {
  while (offset < end) {
    const ssize_t size = ::pread(fd.get(), begin_ + last_begin_ + offset, static_cast<std::size_t>(end - offset),
                                 static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) fail(errno, "cannot read " + file.string());
    if (size == 0) fail(EIO, file.string() + " has become shorter");
    offset += static_cast<std::uint64_t>(size);
  }
}

std::uint64_t LogSpace::add(const build::base::UniqueFd& fd, std::uint64_t size, const std::filesystem::path& file) {
  const std::uint64_t begin = in_pages(last_begin_ + last_size_), whole = size / page_size() * page_size();
  if (size > kCapacity || in_pages(begin + size) > position_of(kept_begin_)) fail(ENOMEM, "the log is too large");
  if (whole > 0 && ::mmap(begin_ + begin, whole, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd.get(), 0) == MAP_FAILED)
    fail(errno, "cannot map " + file.string());
  last_begin_ = begin;
  last_size_ = whole;
  readable_ = begin + whole;
  extend(fd, size, file);
  return begin;
}

void LogSpace::extend(const build::base::UniqueFd& fd, std::uint64_t size, const std::filesystem::path& file) {
  if (size > kCapacity || in_pages(last_begin_ + size) > position_of(kept_begin_)) fail(ENOMEM, "the log is too large");
  if (const std::uint64_t end = in_pages(last_begin_ + size); end > readable_) {
    if (::mprotect(begin_ + readable_, end - readable_, PROT_READ | PROT_WRITE) != 0)
      fail(errno, "cannot get memory for a log");
    readable_ = end;
  }
  read(fd, last_size_, size, file);
  last_size_ = std::max(last_size_, size);
}

std::string_view LogSpace::keep(std::string_view bytes) {
  const std::lock_guard lock(keeping_);
  if (static_cast<std::size_t>(kept_end_ - kept_) < bytes.size()) {
    constexpr std::uint64_t kPiece = 1 << 20;
    const std::uint64_t size = in_pages(std::max<std::uint64_t>(bytes.size(), kPiece));
    if (size > static_cast<std::uint64_t>(begin_ + capacity_ - kept_end_)) fail(ENOMEM, "the log is too large");
    if (::mprotect(kept_end_, size, PROT_READ | PROT_WRITE) != 0) fail(errno, "cannot get memory for a log");
    kept_end_ += size;
  }
  char* const copy = kept_;
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  kept_ += bytes.size();
  return {copy, bytes.size()};
}

bool LogSpace::damaged() const noexcept { return guard_->damaged; }

}  // namespace maintner
