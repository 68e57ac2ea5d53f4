#include <io/repeated_job.h>

#include <boost/system/system_error.hpp>

#include <exception>
#include <utility>

namespace io {

RepeatedJob::RepeatedJob(Executor executor, Clock& clock, BlockingPool& pool, Pace pace, std::function<void()> job,
                         Ears ears)
    : clock_(clock),
      pool_(pool),
      pace_(pace),
      job_(std::move(job)),
      ears_(std::move(ears)),
      stoppable_(executor),
      ended_(executor) {}

Task<> RepeatedJob::run() {
  is_running_ = true;
  bool failing = false;
  while (!stoppable_.stopped()) {
    const std::string why = co_await try_job();
    if (!why.empty() && !failing) ears_.failed(why);
    if (why.empty() && failing) ears_.works_again();
    failing = !why.empty();
    try {
      co_await stoppable_.run(clock_.sleep_for(failing ? pace_.after_failure : pace_.after_success));
    } catch (const boost::system::system_error&) {
      break;
    }
  }
  is_running_ = false;
  ended_.notify_all();
}

Task<> RepeatedJob::stop() {
  stoppable_.stop();
  while (is_running_) co_await ended_.wait();
}

Task<std::string> RepeatedJob::try_job() {
  try {
    auto job = [this] { job_(); };
    co_await pool_.run(job);
  } catch (const std::exception& error) {
    const std::string why = error.what();
    co_return why.empty() ? std::string("it is not said why") : why;
  }
  co_return std::string();
}

}  // namespace io
