// run() is a loop of sessions and pauses. stop() ends whichever is under way: a session's listener is closed (which
// says goodbye to the coordinator), everything else - dialing, registering, pausing - is cancelled.
#include <build/buildlet/reverse_worker.h>
#include <build/buildlet/server.h>
#include <revdial/listener.h>
#include <revdial/switch.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace build::buildlet {

namespace asio = boost::asio;

io::RequestHead registration_request(const Registration& registration) {
  io::RequestHead head = revdial::switch_request("/reverse");
  if (!registration.gomote_id.empty()) {
    head.fields.add("X-Go-Gomote-ID", registration.gomote_id);
    head.fields.add("X-Go-Hostname", registration.hostname);
    head.fields.add("X-Go-Swarming-Auth-Token", registration.key);
    return head;
  }
  std::string features;
  for (const std::string& feature : registration.features) {
    if (!features.empty()) features += ',';
    features += feature;
  }
  head.fields.add("X-Go-Builder-Hostname", registration.hostname);
  head.fields.add("X-Go-Builder-Key", registration.key);
  head.fields.add("X-Go-Builder-Version", std::to_string(kVersion));
  head.fields.add("X-Go-Host-Type", registration.host_type);
  head.fields.add("X-Revdial-Version", "2");
  if (!features.empty()) head.fields.add("X-Xbuild-Features", features);
  head.fields.add("X-Xbuild-Instance-Id", registration.instance_id);
  head.fields.add("X-Xbuild-Worker-Id", registration.worker_id);
  return head;
}

namespace {

// Runs of blanks and line breaks become one blank.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// "12.3"
std::string seconds_text(io::Duration duration) {
  const auto tenths = std::chrono::duration_cast<std::chrono::duration<long, std::deci>>(duration).count();
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace

struct ReverseWorker::Impl {
  Impl(io::Executor on, io::Clock& time, base::RandomSource& random, DialCoordinator dial_coordinator,
       net::Server& http, Registration who, base::Logger& logger, ReverseOptions limits)
      : executor(std::move(on)),
        clock(time),
        dial(std::move(dial_coordinator)),
        server(http),
        registration(std::move(who)),
        log(logger),
        options(limits),
        backoff({.first = limits.first_window, .cap = limits.longest_pause}, random) {}

  io::Task<> loop() {
    while (!stopped) {
      refused = false;
      established.reset();
      std::string why;
      try {
        why = co_await session();
      } catch (const std::exception& error) {
        why = one_line(error.what());
      }
      if (stopped) co_return;
      const io::Duration pause = next_pause();
      log.warning(established ? "lost the coordinator" : "could not register with the coordinator", {{"why", why}});
      log.info("retry in " + seconds_text(pause) + " s");
      co_await clock.sleep_for(pause);
    }
  }

  io::Duration next_pause() {
    if (established && clock.now() - *established >= options.settled) backoff.reset();
    return refused ? options.longest_pause : backoff.next();
  }

  // One session, from dialing to its end, and why it ended.
  io::Task<std::string> session() {
    io::StreamPtr stream = co_await dial();
    io::StreamPtr control = co_await register_on(std::move(stream));
    established = clock.now();
    const std::string peer = control->peer();
    const revdial::DialServer dial_pickup = dial;
    revdial::Listener listener(std::move(control), dial_pickup, clock);
    current = &listener;
    log.info("connected to the coordinator", {{"peer", peer}, {"host_type", registration.host_type}});
    std::exception_ptr failed;
    std::string why;
    try {
      const revdial::SessionEnd end = co_await serve(listener);
      why = end.text;
    } catch (const std::exception&) {
      failed = std::current_exception();
    }
    current = nullptr;
    // What the coordinator had begun here is lost to it with the session: its commands end before the next build comes.
    server.close_connections();
    if (failed) std::rethrow_exception(failed);
    co_return why;
  }

  io::Task<io::StreamPtr> register_on(io::StreamPtr stream) {
    io::RequestHead head = registration_request(registration);
    try {
      co_return co_await revdial::switch_protocols(std::move(stream), std::move(head), clock,
                                                   options.registration_limit);
    } catch (const revdial::SwitchError& error) {
      refused = error.status() >= 400 && error.status() < 500;
      throw std::runtime_error((refused ? "the coordinator refused the registration: " : "registration failed: ") +
                               std::string(error.what()));
    }
  }

  struct Ending {
    explicit Ending(const io::Executor& executor) : changed(executor) {}
    std::optional<revdial::SessionEnd> end;
    io::Event changed;
  };

  static io::Task<> run_listener(revdial::Listener& listener, Ending& ending) {
    revdial::SessionEnd end;
    try {
      end = co_await listener.run();
    } catch (const std::exception& error) {
      end.cause = revdial::SessionEnd::Cause::transport_lost;
      end.text = error.what();
    }
    ending.end = std::move(end);
    ending.changed.notify_all();
  }

  // Serves the connections of a session; the listener has ended when this returns.
  io::Task<revdial::SessionEnd> serve(revdial::Listener& listener) {
    Ending ending(executor);
    io::Task<> task = run_listener(listener, ending);
    io::spawn(executor, std::move(task), [](std::exception_ptr) {});
    std::exception_ptr failed;
    try {
      while (io::StreamPtr connection = co_await listener.accept()) {
        io::Task<> served = server.serve(std::move(connection));
        io::spawn(executor, std::move(served), [this](std::exception_ptr error) { say(error); });
      }
    } catch (const std::exception&) {
      failed = std::current_exception();
      listener.close();
    }
    while (!ending.end) co_await ending.changed.wait();
    if (failed) std::rethrow_exception(failed);
    co_return *ending.end;
  }

  void say(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& bad) {
      log.warning("a connection from the coordinator failed", {{"why", bad.what()}});
    }
  }

  io::Executor executor;
  io::Clock& clock;
  DialCoordinator dial;
  net::Server& server;
  Registration registration;
  base::Logger& log;
  ReverseOptions options;
  base::Backoff backoff;

  bool stopped = false;
  bool refused = false;                    // the last registration
  std::optional<io::Instant> established;  // since when the last session stood
  revdial::Listener* current = nullptr;
  asio::cancellation_signal cancel;
};

ReverseWorker::ReverseWorker(io::Executor executor, io::Clock& clock, base::RandomSource& random, DialCoordinator dial,
                             net::Server& server, Registration registration, base::Logger& log, ReverseOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), clock, random, std::move(dial), server, std::move(registration),
                                   log, options)) {}

ReverseWorker::~ReverseWorker() = default;

io::Task<> ReverseWorker::run() {
  struct End {
    explicit End(const io::Executor& executor) : changed(executor) {}
    bool done = false;
    std::exception_ptr error;
    io::Event changed;
  };
  const auto end = std::make_shared<End>(impl_->executor);
  auto on_end = [end](std::exception_ptr error) {
    end->done = true;
    end->error = error;
    end->changed.notify_all();
  };
  asio::co_spawn(impl_->executor, impl_->loop(), asio::bind_cancellation_slot(impl_->cancel.slot(), on_end));
  while (!end->done) co_await end->changed.wait();
  // What stop() cancelled has failed because of that.
  if (end->error && !impl_->stopped) std::rethrow_exception(end->error);
}

void ReverseWorker::stop() noexcept {
  impl_->stopped = true;
  if (impl_->current != nullptr) {
    impl_->current->close();
  } else {
    impl_->cancel.emit(asio::cancellation_type::terminal);
  }
}

}  // namespace build::buildlet
