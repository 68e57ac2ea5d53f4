#include <io/service_manager.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/datagram_protocol.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <utility>

#include <unistd.h>

namespace io {
namespace {

using asio::local::datagram_protocol;
using boost::system::error_code;

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::optional<long long> number(const std::string& text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A line of its own in a message of lines.
std::string status_line(std::string_view sentence) {
  std::string line = "STATUS=" + std::string(sentence);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line + "\n";
}

}  // namespace

// Shared with the operations under way.
struct ServiceManager::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor executor, Clock& clock, Place place, std::function<void(const std::string&)> on_error)
      : executor(executor), clock(clock), place(std::move(place)), on_error(std::move(on_error)), socket(executor) {}

  void open() {
    std::string path = place.socket;
    if (path.front() == '@') path.front() = '\0';
    error_code error;
    socket.open(datagram_protocol(), error);
    if (error) return fail(error);
    // Asio throws for a path that is too long.
    try {
      socket.connect(datagram_protocol::endpoint(path), error);
    } catch (const boost::system::system_error& too_long) {
      error = too_long.code();
    }
    if (error) fail(error);
  }

  void fail(const error_code& error) {
    error_code ignored;
    socket.close(ignored);
    queue.clear();
    alarm.cancel();
    if (on_error) {
      std::exchange(on_error, nullptr)("telling the service manager at " + place.socket +
                                       " how this program is doing failed: " + error.message());
    }
  }

  void send(std::string message) {
    if (!socket.is_open() || queue.size() >= kMaxQueued) return;
    queue.push_back(std::move(message));
    if (queue.size() > 1) return;
    // Nearly always the manager takes it at once: what is said just before the program ends is said, too.
    error_code error;
    socket.non_blocking(true, error);
    socket.send(asio::buffer(queue.front()), 0, error);
    if (error == asio::error::would_block || error == asio::error::try_again) return send_later();
    if (error) return fail(error);
    queue.pop_front();
  }

  void send_later() {
    socket.async_send(asio::buffer(queue.front()), [self = shared_from_this()](error_code error, std::size_t) {
      if (error == asio::error::operation_aborted || !self->socket.is_open()) return;
      if (error) return self->fail(error);
      self->queue.pop_front();
      if (!self->queue.empty()) self->send_later();
    });
  }

  void show_life() {
    send("WATCHDOG=1\n");
    if (socket.is_open()) alarm = clock.call_after(executor, *place.watchdog / 2, [this] { show_life(); });
  }

  Executor executor;
  Clock& clock;
  Place place;
  std::function<void(const std::string&)> on_error;
  datagram_protocol::socket socket;
  std::deque<std::string> queue;
  Alarm alarm;
};

ServiceManager::Place ServiceManager::take_from_environment() {
  Place place;
  place.socket = take_variable("NOTIFY_SOCKET");
  const auto pid = number(take_variable("WATCHDOG_PID"));
  const auto microseconds = number(take_variable("WATCHDOG_USEC"));
  if (microseconds && *microseconds > 0 && (!pid || *pid == ::getpid())) {
    // An hour at most: more says nothing and must not overflow.
    place.watchdog = std::chrono::microseconds{std::min(*microseconds, 3'600'000'000LL)};
  }
  return place;
}

ServiceManager::ServiceManager(Executor executor, Clock& clock, Place place,
                               std::function<void(const std::string&)> on_error)
    : impl_(std::make_shared<Impl>(std::move(executor), clock, std::move(place), std::move(on_error))) {
  if (impl_->place.socket.empty()) return;
  impl_->open();
  if (impl_->place.watchdog) impl_->show_life();
}

ServiceManager::~ServiceManager() {
  impl_->alarm.cancel();
  error_code ignored;
  impl_->socket.close(ignored);
}

void ServiceManager::ready(std::string_view sentence) { impl_->send("READY=1\n" + status_line(sentence)); }

void ServiceManager::status(std::string_view sentence) { impl_->send(status_line(sentence)); }

void ServiceManager::reloading(std::string_view sentence) {
  // The time by which systemd tells this reload from the one before.
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(impl_->clock.now().time_since_epoch());
  impl_->send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()) + "\n" + status_line(sentence));
}

void ServiceManager::stopping(std::string_view sentence) { impl_->send("STOPPING=1\n" + status_line(sentence)); }

}  // namespace io
