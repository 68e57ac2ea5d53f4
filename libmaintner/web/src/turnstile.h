// Lets a few in at the same time, and a few more wait.
#pragma once

#include <io/clock.h>
#include <io/event.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>

namespace maintner::web {

/// Lives on one executor.
class Turnstile {
 public:
  struct Limits {
    std::size_t inside, waiting;
    io::Duration patience;  ///< how long somebody waits
  };
  /// `what` stands in a refusal: "searches". `clock` must outlive it.
  Turnstile(io::Executor executor, io::Clock& clock, Limits limits, std::string what);

  class Pass {
   public:
    explicit Pass(Turnstile& turnstile) : turnstile_(&turnstile) { ++turnstile_->inside_; }
    Pass(Pass&& other) noexcept : turnstile_(std::exchange(other.turnstile_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass();

   private:
    Turnstile* turnstile_;
  };
  /// Keep the result for as long as the work goes on. Throws Refusal 503 if too many wait, or it took too long, and
  /// net::AbortExchange once `gone` is true: call wake() then.
  io::Task<Pass> enter(const std::atomic<bool>& gone);
  void wake() { changed_.notify_all(); }

 private:
  io::Executor executor_;
  io::Clock& clock_;
  const Limits limits_;
  const std::string what_;
  io::Event changed_;
  std::size_t inside_ = 0, waiting_ = 0;
};

}  // namespace maintner::web
