// Telling the service manager how this program is doing: the protocol of sd_notify(3), without libsystemd.
//
//   auto place = io::ServiceManager::take_from_environment();     // in main, before there are threads
//   io::ServiceManager manager(loop.executor(), clock, place, on_error);
//   manager.ready("serving workers and pages");
//   ...
//   manager.stopping("waiting for 3 builds");
//
// A message is a datagram to the socket that $NOTIFY_SOCKET names. Where no service manager asked to be told, every
// function does nothing. If it asked for a sign of life ($WATCHDOG_USEC), one is sent twice in that time by a timer of
// the executor, from the beginning: when the event loop hangs, or the process is stopped, it is not sent, and
// the service manager starts the program anew.
//
// Like every object of libio it lives on one executor. Nothing waits: messages that the manager does not take at once
// are queued, and beyond kMaxQueued of them left out.
#pragma once

#include <io/clock.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace io {

class ServiceManager {
 public:
  /// What the service manager asked for.
  struct Place {
    std::string socket;                ///< a path, or "@name" in the abstract namespace; empty: nobody is to be told
    std::optional<Duration> watchdog;  ///< longest time between two signs of life
  };

  static constexpr std::size_t kMaxQueued = 32;

  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment, so that child
  /// processes do not speak for this one. A watchdog meant for another process is not ours. Not while threads run.
  static Place take_from_environment();

  /// `on_error` is given a sentence, once, when the first message cannot be sent; it is no reason to end.
  ServiceManager(Executor executor, Clock& clock, Place place, std::function<void(const std::string&)> on_error);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// Everything is set up; also the end of reloading(). `sentence` is shown by systemctl status.
  void ready(std::string_view sentence);
  /// What it is doing now.
  void status(std::string_view sentence);
  /// The configuration is being read again; ready() must follow.
  void reloading(std::string_view sentence);
  /// It is about to end.
  void stopping(std::string_view sentence);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace io
