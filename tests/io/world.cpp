#include "io/world.h"

#include <array>
#include <utility>

namespace testing {
namespace {

io::Task<> inside(io::Task<> task, [[maybe_unused]] io::Gate::Pass pass) { co_await std::move(task); }

}  // namespace

void World::run(std::vector<io::Task<>> tasks) {
  io::Gate gate(loop.executor());
  std::exception_ptr first;
  for (auto& task : tasks) {
    io::spawn(loop.executor(), inside(std::move(task), gate.enter()), [&first](std::exception_ptr error) {
      if (!first) first = error;
    });
  }
  loop.run_until_done(gate.close());
  loop.poll();  // the last task's error comes after its pass
  if (first) std::rethrow_exception(first);
}

Background::Background(io::EventLoop& loop, io::Task<> task) : outcome_(std::make_shared<Outcome>(loop.executor())) {
  io::spawn(loop.executor(), watch(std::move(task), outcome_), [](std::exception_ptr) {});
}

io::Task<> Background::watch(io::Task<> task, std::shared_ptr<Outcome> outcome) {
  try {
    co_await std::move(task);
  } catch (const std::exception&) {
    outcome->error = std::current_exception();
  }
  outcome->done = true;
  outcome->changed.notify_all();
}

io::Task<> Background::wait(std::shared_ptr<Outcome> outcome) {
  while (!outcome->done) co_await outcome->changed.wait();
}

boost::system::error_code Background::code() const {
  if (!outcome_->error) return {};
  return code_of([&] { std::rethrow_exception(outcome_->error); });
}

std::string pattern(std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t i = 0; i < size; ++i) result[i] = static_cast<char>(i % 251);
  return result;
}

io::Task<> write_all(io::ByteStream& stream, std::string text) { co_await stream.write(text); }

io::Task<> read_until_end(io::ByteStream& stream, std::string& into) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    const io::asio::mutable_buffer room(buffer.data(), buffer.size());
    const std::size_t count = co_await stream.read_some(room);
    if (count == 0) co_return;
    into.append(buffer.data(), count);
  }
}

io::Task<> read_exactly(io::ByteStream& stream, std::size_t size, std::string& into) {
  const std::size_t end = into.size() + size;
  std::vector<char> buffer(16 * 1024);
  while (into.size() < end) {
    const io::asio::mutable_buffer room(buffer.data(), std::min(buffer.size(), end - into.size()));
    const std::size_t count = co_await stream.read_some(room);
    if (count == 0) throw std::runtime_error("the stream ended early");
    into.append(buffer.data(), count);
  }
}

io::Task<> run_on(io::BlockingPool& pool, std::function<void()> job) { co_await pool.run(job); }

io::Task<> echo(io::ByteStream& stream) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    const io::asio::mutable_buffer room(buffer.data(), buffer.size());
    const std::size_t count = co_await stream.read_some(room);
    if (count == 0) break;
    const io::asio::const_buffer got(buffer.data(), count);
    co_await stream.write(got);
  }
  co_await stream.shutdown_write();
}

}  // namespace testing
