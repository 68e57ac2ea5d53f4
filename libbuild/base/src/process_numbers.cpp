#include <build/base/process_numbers.h>

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace build::base {

ProcessNumbers read_process_numbers() {
  ProcessNumbers numbers;
  std::uint64_t total = 0, resident = 0;
  if (std::ifstream("/proc/self/statm") >> total >> resident)
    numbers.resident_bytes = resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error))
    ++numbers.open_files;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) numbers.max_files = limit.rlim_cur;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    numbers.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  return numbers;
}

void write_process_numbers(Exposition& out, const ProcessNumbers& numbers) {
  using Type = Exposition::Type;
  out.family("process_resident_memory_bytes", Type::gauge, "Memory in use.");
  out.sample(static_cast<double>(numbers.resident_bytes));
  out.family("process_open_fds", Type::gauge, "Open file descriptors.");
  out.sample(static_cast<double>(numbers.open_files));
  out.family("process_max_fds", Type::gauge, "How many may be open.");
  out.sample(static_cast<double>(numbers.max_files));
  out.family("process_cpu_seconds_total", Type::counter, "Processor time used.");
  out.sample(numbers.cpu_seconds);
}

}  // namespace build::base
