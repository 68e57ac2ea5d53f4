#include <build/coordinator/step_log.h>

#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace build::coordinator {

namespace {
constexpr io::Duration kRetry = std::chrono::seconds{1};
/// Less than a worker waits for somebody to read a command's output (five minutes): so it is we who say what happened.
constexpr io::Duration kPatience = std::chrono::minutes{4};
}  // namespace

StepLog::StepLog(io::Executor executor, io::Clock& clock, livelog::LogStore& logs, LogTrouble& trouble)
    : executor_(executor), clock_(clock), logs_(logs), trouble_(trouble), wake_(executor) {}

void StepLog::stop() noexcept {
  stopped_ = true;
  wake_.notify_all();
}

io::Task<> StepLog::open(model::RunId run) {
  const auto attempt = [this, run]() -> io::Task<> { writer_ = co_await logs_.open_writer(run); };
  co_await patiently(attempt);
}

io::Task<> StepLog::append(std::uint64_t offset, std::string_view bytes) {
  const auto attempt = [this, offset, bytes] { return writer_->append(offset, bytes); };
  co_await patiently(attempt);
}

io::Task<> StepLog::append_line(std::string line) {
  line += '\n';
  co_await append(writer_->size(), line);
}

io::Task<> StepLog::finish() {
  const auto attempt = [this] { return writer_->finish(); };
  co_await patiently(attempt);
}

io::Task<> StepLog::patiently(std::function<io::Task<>()> attempt) {
  struct Waiting {
    explicit Waiting(LogTrouble& all) : trouble(all) { ++trouble.waiting; }
    ~Waiting() { --trouble.waiting; }
    LogTrouble& trouble;
  };
  std::optional<Waiting> waiting;
  std::optional<io::Instant> since;
  for (;;) {
    std::string why;
    try {
      co_await attempt();
      co_return;
    } catch (const std::system_error& error) {  // the disk's; all else is not mended by waiting
      why = error.what();
    }
    if (!waiting) waiting.emplace(trouble_);
    if (!since) since = clock_.now();
    trouble_.why = why;
    if (stopped_) throw std::runtime_error("its log could not be written: " + why);
    if (clock_.now() - *since >= kPatience)
      throw std::runtime_error("its log could not be written for " +
                               std::to_string(kPatience / std::chrono::minutes{1}) + " minutes: " + why);
    const io::Alarm alarm = clock_.call_after(executor_, kRetry, [this] { wake_.notify_all(); });
    co_await wake_.wait();
  }
}

}  // namespace build::coordinator
