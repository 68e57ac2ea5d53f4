#include "ready_set.h"

#include <io/event.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace revdial {

namespace {

/// After a dial: its request shall be on its way before a connection is made in place of the one that it took.
constexpr io::Duration kRefillPause = std::chrono::milliseconds{5};
constexpr io::Duration kFirstFailurePause = std::chrono::seconds{1};
constexpr io::Duration kLongestFailurePause = std::chrono::minutes{1};
/// Of what the worker may say before it is asked anything. Then nothing more is read until somebody wants it.
constexpr std::size_t kMaxEarly = 4096;

}  // namespace

struct ReadyConnection {
  explicit ReadyConnection(io::StreamPtr connection) : stream(std::move(connection)), changed(stream->executor()) {}

  io::StreamPtr stream;
  bool wanted = true;    // waits in a set, so that it is to be read from
  bool reading = false;  // by the task that watches it
  std::string early;     // what was read and not given yet
  bool ended = false;    // by the peer, in an orderly way
  std::exception_ptr error;
  std::function<void()> on_end;  // while it waits
  io::Event changed;
};

namespace {

using ReadyPtr = std::shared_ptr<ReadyConnection>;

io::Task<> read_early(ReadyConnection& ready) {
  while (ready.wanted && ready.early.size() < kMaxEarly) {
    std::array<char, 256> piece;  // small, because it is held for as long as the connection waits
    const auto room = io::asio::buffer(piece);
    const std::size_t count = co_await ready.stream->read_some(room);
    ready.early.append(piece.data(), count);
    ready.ended = count == 0;
    if (ready.ended) co_return;
    ready.changed.notify_all();
  }
}

io::Task<> watch(ReadyPtr ready) {
  ready->reading = true;
  try {
    co_await read_early(*ready);
  } catch (const std::exception&) {
    ready->error = std::current_exception();
  }
  ready->reading = false;
  ready->changed.notify_all();
  if (!ready->ended && !ready->error) co_return;
  if (const auto on_end = std::exchange(ready->on_end, nullptr)) on_end();
}

/// What a dial is given: the read that was under way while the connection waited goes on, and its result is the first
/// that is read here. Everything after it goes to the connection itself.
class ReadyStream final : public io::ByteStream {
 public:
  explicit ReadyStream(ReadyPtr ready) : ready_(std::move(ready)) {}
  ~ReadyStream() override { close(); }

  io::Executor executor() override { return ready_->stream->executor(); }
  io::Task<std::size_t> read_some(io::asio::mutable_buffer into) override {
    const ReadyConnection& ready = *ready_;
    if (!ready.reading && ready.early.empty() && !ready.ended && !ready.error) return ready_->stream->read_some(into);
    return first_read(ready_, into);
  }
  io::Task<> write(io::asio::const_buffer from) override { return ready_->stream->write(from); }
  io::Task<> shutdown_write() override { return ready_->stream->shutdown_write(); }
  void close() noexcept override {
    ready_->stream->close();
    ready_->early.clear();
    ready_->changed.notify_all();
  }
  void set_user_timeout(std::chrono::milliseconds limit) noexcept override { ready_->stream->set_user_timeout(limit); }
  bool secure() const noexcept override { return ready_->stream->secure(); }
  std::string peer() const override { return ready_->stream->peer(); }

 private:
  static io::Task<std::size_t> first_read(ReadyPtr ready, io::asio::mutable_buffer into) {
    if (into.size() == 0) co_return 0;
    while (ready->reading && ready->early.empty()) co_await ready->changed.wait();
    if (!ready->early.empty()) {
      const std::size_t count = ready->early.copy(static_cast<char*>(into.data()), into.size());
      ready->early.erase(0, count);
      co_return count;
    }
    if (ready->error) std::rethrow_exception(ready->error);
    if (ready->ended) co_return 0;
    co_return co_await ready->stream->read_some(into);
  }

  ReadyPtr ready_;
};

}  // namespace

ReadySet::ReadySet(io::Executor executor, io::Clock& clock, std::size_t max, io::Duration period,
                   std::function<void()> changed)
    : executor_(std::move(executor)),
      clock_(clock),
      max_(max),
      period_(period),
      changed_(std::move(changed)),
      failure_pause_(kFirstFailurePause),
      pause_until_(clock.now()) {}

ReadySet::~ReadySet() { close(); }

bool ReadySet::add(io::StreamPtr connection) {
  if (closed_ || waiting_.size() >= target_) {
    connection->close();
    return false;
  }
  const auto ready = std::make_shared<ReadyConnection>(std::move(connection));
  ready->on_end = [this, key = ready.get()] { found_dead(key); };
  waiting_.push_back(ready);
  io::spawn(executor_, watch(ready), [](std::exception_ptr) {});
  return true;
}

io::StreamPtr ReadySet::take() {
  if (waiting_.empty()) {
    if (closed_ || target_ == max_) return nullptr;
    if (target_++ == 0) start_period();
    changed_();
    return nullptr;
  }
  const ReadyPtr ready = std::move(waiting_.front());
  waiting_.pop_front();
  fewest_ = std::min(fewest_, waiting_.size());
  ready->wanted = false;
  ready->on_end = nullptr;
  failure_pause_ = kFirstFailurePause;
  rest();
  return std::make_unique<ReadyStream>(ready);
}

void ReadySet::rest() { pause(kRefillPause); }

void ReadySet::failed() {
  pause(failure_pause_);
  failure_pause_ = std::min(2 * failure_pause_, kLongestFailurePause);
}

std::size_t ReadySet::missing(std::size_t asked) const noexcept {
  const std::size_t there = waiting_.size() + asked;
  return closed_ || there >= target_ ? 0 : target_ - there;
}

void ReadySet::close() noexcept {
  closed_ = true;
  target_ = 0;
  period_alarm_.cancel();
  for (const ReadyPtr& ready : std::exchange(waiting_, {})) {
    ready->on_end = nullptr;
    ready->wanted = false;
    ready->stream->close();
  }
}

void ReadySet::found_dead(const ReadyConnection* connection) {
  std::erase_if(waiting_, [&](const ReadyPtr& ready) {
    if (ready.get() == connection) ready->stream->close();
    return ready.get() == connection;
  });
  fewest_ = std::min(fewest_, waiting_.size());
  failed();
}

/// Nothing is asked for meanwhile. A longer pause that is under way stays.
void ReadySet::pause(io::Duration time) {
  pause_until_ = std::max(pause_until_, clock_.now() + time);
  changed_();
}

void ReadySet::start_period() {
  fewest_ = waiting_.size();
  period_alarm_ = clock_.call_after(executor_, period_, [this] { end_period(); });
}

void ReadySet::end_period() {
  target_ -= std::min(target_, fewest_);
  while (waiting_.size() > target_) {
    waiting_.front()->on_end = nullptr;
    waiting_.front()->wanted = false;
    waiting_.front()->stream->close();
    waiting_.pop_front();
  }
  if (target_ > 0) start_period();
}

}  // namespace revdial
