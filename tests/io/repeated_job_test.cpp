#include <io/repeated_job.h>

#include <doctest/doctest.h>
#include <boost/asio/post.hpp>

#include "io/world.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

using namespace testing;
using namespace std::chrono_literals;

namespace {

struct Jobs {
  /// To be called by each job.
  void count() {
    ++done;
    boost::asio::post(world.loop.executor(), [this] { counted.notify_all(); });
  }

  std::vector<std::string> heard;
  std::atomic<int> done{0};
  World world;
  io::Event counted{world.loop.executor()};
  io::BlockingPool pool{1};
};

/// Ends it after it was done so often.
io::Task<> stop_after(Jobs& jobs, io::RepeatedJob& job, int times) {
  while (jobs.done < times) co_await jobs.counted.wait();
  co_await job.stop();
}

}  // namespace

TEST_CASE("a job is done again and again until it is stopped, and not any more then") {
  Jobs jobs;
  io::RepeatedJob job(
      jobs.world.loop.executor(), jobs.world.clock, jobs.pool, {0ms, 1h}, [&] { jobs.count(); },
      {[&](const std::string& why) { jobs.heard.push_back(why); }, [&] { jobs.heard.emplace_back("again"); }});
  std::vector<io::Task<>> tasks;
  tasks.push_back(job.run());
  tasks.push_back(stop_after(jobs, job, 5));
  jobs.world.run(std::move(tasks));
  CHECK(jobs.done >= 5);
  CHECK(jobs.heard.empty());
}

TEST_CASE("that a job fails is said once, and when it works again") {
  Jobs jobs;
  const auto work = [&] {
    jobs.count();
    const int time = jobs.done;
    if (time == 2 || time == 3) throw std::runtime_error("the disk is full");
    if (time == 5) throw std::runtime_error("");
  };
  io::RepeatedJob job(
      jobs.world.loop.executor(), jobs.world.clock, jobs.pool, {0ms, 0ms}, work,
      {[&](const std::string& why) { jobs.heard.push_back(why); }, [&] { jobs.heard.emplace_back("again"); }});
  std::vector<io::Task<>> tasks;
  tasks.push_back(job.run());
  tasks.push_back(stop_after(jobs, job, 6));
  jobs.world.run(std::move(tasks));
  CHECK(jobs.heard == std::vector<std::string>{"the disk is full", "again", "it is not said why", "again"});
}

TEST_CASE("a job that waits for its time is stopped at once, and one that runs is waited for") {
  Jobs jobs;
  io::RepeatedJob job(jobs.world.loop.executor(), jobs.world.clock, jobs.pool, {1h, 1h}, [&] { jobs.count(); },
                      {[](const std::string&) {}, [] {}});
  std::vector<io::Task<>> tasks;
  tasks.push_back(job.run());
  tasks.push_back(stop_after(jobs, job, 1));
  jobs.world.run(std::move(tasks));
  CHECK(jobs.done == 1);
}
