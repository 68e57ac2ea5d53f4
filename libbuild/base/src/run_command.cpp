#include <build/base/subprocess.h>

#include <io/event.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <csignal>

namespace build::base {

namespace {

/// What the tasks of one run_command share; they have all ended before it goes.
struct Run {
  Run(io::Executor executor, std::unique_ptr<Subprocess> child) : process(std::move(child)), ended(executor) {}

  std::unique_ptr<Subprocess> process;
  RunResult result;
  io::Event ended;
  int running = 0;
  std::exception_ptr failure;

  void one_ended() {
    --running;
    ended.notify_all();
  }
  void give_up() {
    process->kill_group(SIGKILL);
    process->stop_reading();
    process->close_input();
  }
};

enum class Stream { output, error };

io::Task<> collect(Run& run, Stream stream, std::size_t limit) {
  std::string& kept = stream == Stream::output ? run.result.output : run.result.error;
  std::string buffer(16 * 1024, '\0');
  const auto into = io::asio::buffer(buffer);
  while (true) {
    auto reading = stream == Stream::output ? run.process->read_output(into) : run.process->read_error(into);
    const std::size_t size = co_await std::move(reading);
    if (size == 0) co_return;
    const std::size_t room = limit - kept.size();
    kept.append(buffer, 0, std::min(size, room));
    if (size > room) {
      run.result.too_much_output = true;
      run.give_up();
      co_return;
    }
  }
}

io::Task<> feed(Run& run, std::string input) {
  bool refused = false;
  try {
    const io::asio::const_buffer from = io::asio::buffer(input);
    co_await run.process->write_input(from);
  } catch (const boost::system::system_error& error) {
    // A command may end without reading its input; its status tells whether that was right.
    refused = error.code() == boost::system::errc::broken_pipe || error.code() == io::asio::error::operation_aborted;
    if (!refused) throw;
  }
  if (!refused) run.process->close_input();
}

io::Task<> await_exit(Run& run) {
  run.result.status = co_await run.process->wait();
  // What it left behind would keep the pipes open. What it wrote itself is read to the end all the same.
  run.process->kill_group(SIGKILL);
}

io::Task<> counted(Run& run, io::Task<> task) {
  try {
    co_await std::move(task);
  } catch (const std::exception&) {
    if (!run.failure) run.failure = std::current_exception();
    run.give_up();
  }
  run.one_ended();
}

void start(io::Executor executor, Run& run, io::Task<> task) {
  ++run.running;
  io::spawn(executor, counted(run, std::move(task)), [](std::exception_ptr) {});
}

}  // namespace

io::Task<RunResult> run_command(io::Executor executor, io::Clock& clock, SubprocessSpec spec, RunLimits limits,
                                std::string input) {
  Run run(executor, Subprocess::start(executor, spec));
  io::Deadline deadline(clock, executor, limits.time, [&run] {
    run.result.timed_out = true;
    run.give_up();
  });
  start(executor, run, await_exit(run));
  if (spec.output == SubprocessSpec::Output::pipe)
    start(executor, run, collect(run, Stream::output, limits.output_bytes));
  if (spec.error == SubprocessSpec::Error::pipe) start(executor, run, collect(run, Stream::error, limits.output_bytes));
  if (spec.input == SubprocessSpec::Input::pipe) start(executor, run, feed(run, std::move(input)));
  bool cancelled = false;
  while (run.running > 0) {
    try {
      co_await run.ended.wait();
    } catch (const boost::system::system_error& error) {
      if (cancelled || error.code() != io::asio::error::operation_aborted) throw;
      cancelled = true;
    }
    if (cancelled) {
      // The tasks still use `run`: end them, and wait for that without being disturbed again.
      run.give_up();
      co_await io::asio::this_coro::reset_cancellation_state(io::asio::disable_cancellation());
    }
  }
  if (cancelled) throw boost::system::system_error(io::asio::error::operation_aborted, "a command was given up");
  if (run.failure) std::rethrow_exception(run.failure);
  co_return std::move(run.result);
}

}  // namespace build::base
