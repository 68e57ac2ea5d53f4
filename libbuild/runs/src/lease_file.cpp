#include <build/base/file.h>
#include <build/runs/lease_file.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

#include "run_files.h"

namespace build::runs {

namespace {

constexpr const char* kFormat = "lease1";

std::string read_small(int directory, const char* name) {
  const base::UniqueFd fd(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  char text[512];
  const ssize_t size = fd.valid() ? ::read(fd.get(), text, sizeof text) : -1;
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

std::chrono::nanoseconds boot_time() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::string boot_id() {
  std::string id = read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::optional<LeaseRecord> read_lease(int directory, const char* name) {
  if (::faccessat(directory, name, F_OK, 0) != 0 && errno == ENOENT) return std::nullopt;
  std::istringstream in(read_small(directory, name));
  std::string format, held;
  LeaseRecord lease;
  std::int64_t end = 0;
  if (!(in >> format >> lease.number >> held >> end >> lease.boot) || format != kFormat)
    throw std::runtime_error(std::string("the file ") + name + " in the state directory is no lease");
  lease.held = held == "held";
  lease.end = std::chrono::nanoseconds(end);
  return lease;
}

std::string to_text(const LeaseRecord& lease) {
  std::ostringstream out;
  out << kFormat << ' ' << lease.number << ' ' << (lease.held ? "held" : "over") << ' ' << lease.end.count() << ' '
      << (lease.boot.empty() ? "-" : lease.boot) << '\n';
  return out.str();
}

void write_lease(int directory, const char* name, const LeaseRecord& lease) {
  write_run_file(directory, name, to_text(lease));
}

}  // namespace build::runs
