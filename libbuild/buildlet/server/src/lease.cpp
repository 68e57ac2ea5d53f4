#include <build/base/file.h>
#include <build/buildlet/lease.h>
#include <io/http1.h>

#include <algorithm>
#include <exception>
#include <utility>

#include <fcntl.h>

#include "failure.h"

namespace build::buildlet {

namespace {

constexpr const char* kFile = "lease";

[[noreturn]] void refuse(const std::string& text) { throw io::HttpError(409, text); }

std::string named(std::uint64_t number) { return "lease " + std::to_string(number); }

/// Set while the object lives.
class Turn {
 public:
  Turn(bool& flag, io::Event& changed) : flag_(flag), changed_(changed) { flag_ = true; }
  ~Turn() {
    flag_ = false;
    changed_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  bool& flag_;
  io::Event& changed_;
};

}  // namespace

Lease::Lease(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, io::BlockingPool& own_pool,
             const std::filesystem::path& state, runs::Runs& runs, WorkDirectory& workdir, base::Logger& log)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      own_pool_(own_pool),
      file_(state / kFile),
      state_(::open(state.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      runs_(runs),
      workdir_(workdir),
      log_(log),
      changed_(executor) {
  record_ = runs::read_lease(state_.get(), kFile).value_or(runs::LeaseRecord{});
  if (record_.held) watch_end();
}

bool Lease::held() const { return record_.valid(runs::boot_time(), boot_); }

std::optional<std::uint64_t> Lease::number() const { return held() ? std::optional(record_.number) : std::nullopt; }

std::chrono::seconds Lease::time_left() const {
  return held() ? std::chrono::ceil<std::chrono::seconds>(record_.end - runs::boot_time()) : std::chrono::seconds{0};
}

void Lease::write() const { runs::write_lease(state_.get(), kFile, record_); }

void Lease::renew() {
  const std::chrono::nanoseconds end = runs::boot_time() + time_;
  // A twentieth more or less does not matter, and saves nearly all writes.
  if (end - record_.end < std::chrono::nanoseconds(time_) / 20) return;
  record_.end = end;
  write();
  watch_end();
}

void Lease::watch_end() {
  const std::chrono::nanoseconds left = std::max(record_.end - runs::boot_time(), std::chrono::nanoseconds{0});
  alarm_ = clock_.call_after(executor_, left, [this] {
    if (held()) return watch_end();
    io::spawn(executor_, expire(), [this](const std::exception_ptr& error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& failure) {
        log_.error("the worker could not be cleaned", {{"why", failure.what()}});
      }
    });
  });
}

io::Task<> Lease::expire() {
  while (changing_) co_await changed_.wait();
  if (!record_.held || held()) co_return;
  const Turn turn(changing_, changed_);
  record_.held = false;
  write();
  log_.warning(named(record_.number) + " is over: nobody renewed it in time");
  co_await clean("its lease is over");
}

io::Task<> Lease::clean(std::string why) {
  const auto all = [](const runs::Run&) { return true; };
  co_await runs_.forget_all(all, why);
  auto job = [this] { workdir_.remove("."); };
  try {
    co_await pool_.run(job);
  } catch (const std::exception&) {
    throw_as_http(std::current_exception(), workdir_.path(), "the work directory could not be emptied: ");
  }
}

io::Task<bool> Lease::take(std::uint64_t number, std::chrono::seconds time, bool resume) {
  while (changing_) co_await changed_.wait();
  if (number < record_.number) refuse(named(number) + " is over: " + named(record_.number) + " came after it");
  const std::chrono::seconds bounded = std::clamp(time, kShortest, kLongest);
  if (number == record_.number) {
    if (!held()) refuse(named(number) + " is over");
    time_ = bounded;
    renew();
    co_return true;
  }
  if (resume) refuse(named(number) + " was never held here, or this machine was started anew since");
  const Turn turn(changing_, changed_);
  // From here on the former one is over, whatever happens.
  record_ = {.number = number, .held = false, .end = {}, .boot = boot_};
  // Durable: a smaller number must not come through after a power cut either.
  auto job = [this] { base::write_file_atomically(file_, runs::to_text(record_), 0600); };
  co_await own_pool_.run(job);
  co_await clean("its lease is over: " + named(number) + " came after it");
  record_.held = true;
  time_ = bounded;
  renew();
  co_return false;
}

io::Task<> Lease::end(std::uint64_t number) {
  while (changing_) co_await changed_.wait();
  if (number > record_.number) refuse(named(number) + " is not held here");
  if (number < record_.number || !record_.held) co_return;
  const Turn turn(changing_, changed_);
  record_.held = false;
  write();
  alarm_.cancel();
  co_await clean("its lease is over");
}

void Lease::check(std::uint64_t number) {
  if (number < record_.number) refuse(named(number) + " is over: " + named(record_.number) + " came after it");
  if (number > record_.number || !held()) refuse(named(number) + " is not held here: PUT /lease begins one");
  if (time_.count() == 0) time_ = time_left();  // this program was started anew; who holds it says how long soon
  renew();
}

}  // namespace build::buildlet
