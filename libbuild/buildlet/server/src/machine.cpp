#include <build/base/file.h>
#include <build/buildlet/machine.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <filesystem>

#include <unistd.h>

namespace build::buildlet {

namespace {

constexpr io::Duration kPeriod = std::chrono::seconds{5};
constexpr std::uint64_t kNeeded = 32 << 20;
constexpr std::size_t kMaxProcFile = 64 * 1024;

template <typename T>
std::optional<T> leading_number(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// "MemAvailable:    3012345 kB"
std::optional<std::uint64_t> kilobytes(std::string_view meminfo, std::string_view name) {
  const std::size_t at = meminfo.find(name);
  if (at == std::string_view::npos || (at > 0 && meminfo[at - 1] != '\n')) return std::nullopt;
  const auto value = leading_number<std::uint64_t>(meminfo.substr(at + name.size()));
  return value ? std::optional(*value * 1024) : std::nullopt;
}

std::string text_of(const std::filesystem::path& file) {
  try {
    return base::read_file(file, kMaxProcFile);
  } catch (const std::exception&) {
    return {};  // what is not there is not known
  }
}

// Where this process's control group is kept, with version 2 of control groups.
std::filesystem::path memory_group() {
  const std::string text = text_of("/proc/self/cgroup");
  const std::string_view mark = "0::/";
  if (!text.starts_with(mark)) return {};
  return std::filesystem::path("/sys/fs/cgroup") / text.substr(mark.size(), text.find('\n') - mark.size());
}

}  // namespace

void read_loadavg(std::string_view text, MachineNumbers& numbers) {
  numbers.load = leading_number<double>(text).value_or(numbers.load);
}

void read_meminfo(std::string_view text, MachineNumbers& numbers) {
  numbers.memory = kilobytes(text, "MemTotal:").value_or(numbers.memory);
  numbers.memory_available = kilobytes(text, "MemAvailable:").value_or(numbers.memory_available);
}

void read_memory_group(std::string_view max, std::string_view current, MachineNumbers& numbers) {
  const auto limit = leading_number<std::uint64_t>(max), used = leading_number<std::uint64_t>(current);
  if (!limit || !used || *limit >= numbers.memory) return;
  numbers.memory = *limit;
  numbers.memory_available = std::min(numbers.memory_available, *limit - std::min(*limit, *used));
}

MachineNumbers read_machine(WorkDirectory& workdir) {
  MachineNumbers numbers;
  numbers.processors = static_cast<unsigned>(std::max(0L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  read_loadavg(text_of("/proc/loadavg"), numbers);
  read_meminfo(text_of("/proc/meminfo"), numbers);
  if (const std::filesystem::path group = memory_group(); !group.empty()) {
    read_memory_group(text_of(group / "memory.max"), text_of(group / "memory.current"), numbers);
  }
  try {
    const DiskSpace space = workdir.space();
    numbers.disk = space.total;
    numbers.disk_available = space.available;
  } catch (const std::exception&) {
    // A command may have put something else in its place.
  }
  return numbers;
}

std::optional<std::string> out_of_memory(const MachineNumbers& numbers) {
  if (numbers.memory == 0 || numbers.memory_available >= std::min(kNeeded, numbers.memory / 4)) return std::nullopt;
  return "the worker is short of memory: " + std::to_string(numbers.memory_available) + " of " +
         std::to_string(numbers.memory) + " bytes are available";
}

io::Task<> MachineWatch::run() {
  while (true) {
    const auto look = [this] { return read_machine(workdir_); };
    numbers_ = co_await pool_.run(look);
    co_await clock_.sleep_for(kPeriod);
  }
}

}  // namespace build::buildlet
