#include "turnstile.h"

#include <build/net/server.h>

#include <utility>

#include "page.h"

namespace maintner::web {

Turnstile::Turnstile(io::Executor executor, io::Clock& clock, Limits limits, std::string what)
    : executor_(executor), clock_(clock), limits_(limits), what_(std::move(what)), changed_(executor) {}

Turnstile::Pass::~Pass() {
  if (turnstile_ == nullptr) return;
  --turnstile_->inside_;
  turnstile_->changed_.notify_all();
}

io::Task<Turnstile::Pass> Turnstile::enter(const std::atomic<bool>& gone) {
  if (inside_ >= limits_.inside) {
    if (waiting_ >= limits_.waiting)
      throw Refusal(503, "Too many " + what_ + " are going on at the moment: try again later.");
    struct Leave {
      ~Leave() { --waiting; }
      std::size_t& waiting;
    };
    ++waiting_;
    const Leave leave{waiting_};
    const io::Deadline deadline(clock_, executor_, limits_.patience, [this] { changed_.notify_all(); });
    while (inside_ >= limits_.inside) {
      if (gone) throw build::net::AbortExchange();
      if (deadline.expired())
        throw Refusal(503, "Other " + what_ + " are going on, and this one had to wait too long: try again later.");
      co_await changed_.wait();
    }
  }
  co_return Pass(*this);
}

}  // namespace maintner::web
