// One mutex guards the bytes and the flags; the blocking side waits on a condition variable, the coroutine on
// an Event that lives on its executor. The blocking side never touches the Event: it posts a call that does,
// and only if the coroutine said (under the mutex) that it waits. As the coroutine's executor runs one thing
// at a time, that call comes after the coroutine has gone to sleep, so no wake-up is lost.
#include <io/bridge.h>
#include <io/event.h>

#include "byte_ring.h"

#include <boost/asio/post.hpp>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace io {
namespace {

struct Shared {
  Shared(const Executor& executor, std::size_t capacity) : executor(executor), bytes(capacity), wake(executor) {}

  const Executor executor;
  std::mutex mutex;
  std::condition_variable changed;
  ByteRing bytes;
  bool finished = false;
  bool reader_gone = false;
  bool coroutine_waits = false;
  std::exception_ptr writer_error;
  std::exception_ptr reader_error;
  Event wake;
};

void wake_coroutine(const std::shared_ptr<Shared>& shared) {
  asio::post(shared->executor, [shared] { shared->wake.notify_all(); });
}

void end_writing(Shared& shared, std::exception_ptr error) {
  shared.finished = true;
  if (error && !shared.writer_error) {
    shared.writer_error = std::move(error);
    shared.bytes.clear();
  }
}

}  // namespace

struct ToBlocking::Impl : Shared {
  using Shared::Shared;

  static Task<> write(std::shared_ptr<Impl> impl, asio::const_buffer from) {
    std::span<const char> rest(static_cast<const char*>(from.data()), from.size());
    for (;;) {
      {
        const std::lock_guard lock(impl->mutex);
        if (impl->reader_gone) {
          if (impl->reader_error) std::rethrow_exception(impl->reader_error);
          co_return;
        }
        if (rest.empty()) co_return;
        const std::size_t count = impl->bytes.put(rest);
        rest = rest.subspan(count);
        if (count > 0) impl->changed.notify_one();
        if (rest.empty()) co_return;
        impl->coroutine_waits = true;
      }
      co_await impl->wake.wait();
    }
  }
};

ToBlocking::ToBlocking(Executor executor, std::size_t capacity)
    : impl_(std::make_shared<Impl>(std::move(executor), capacity)) {}

ToBlocking::~ToBlocking() = default;

Task<> ToBlocking::write(asio::const_buffer bytes) { return Impl::write(impl_, bytes); }

void ToBlocking::finish() { fail(nullptr); }

void ToBlocking::fail(std::exception_ptr error) {
  const std::lock_guard lock(impl_->mutex);
  end_writing(*impl_, std::move(error));
  impl_->changed.notify_one();
}

std::size_t ToBlocking::read(std::span<char> into) {
  std::size_t count = 0;
  bool wake = false;
  {
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait(lock, [this] { return impl_->finished || impl_->reader_gone || !impl_->bytes.empty(); });
    if (impl_->reader_gone) return 0;
    if (impl_->writer_error) std::rethrow_exception(impl_->writer_error);
    count = impl_->bytes.take(into);
    // Half empty is soon enough: this side only ever waits when all is gone.
    if (impl_->bytes.size() <= impl_->bytes.capacity() / 2) wake = std::exchange(impl_->coroutine_waits, false);
  }
  if (wake) wake_coroutine(impl_);
  return count;
}

void ToBlocking::stop_reading(std::exception_ptr error) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->reader_gone = true;
    impl_->reader_error = std::move(error);
    impl_->bytes.clear();
    impl_->changed.notify_one();
    if (!std::exchange(impl_->coroutine_waits, false)) return;
  }
  wake_coroutine(impl_);
}

struct FromBlocking::Impl : Shared {
  using Shared::Shared;

  static Task<std::size_t> read_some(std::shared_ptr<Impl> impl, asio::mutable_buffer into) {
    for (;;) {
      {
        const std::lock_guard lock(impl->mutex);
        if (impl->writer_error) std::rethrow_exception(impl->writer_error);
        if (const std::size_t count = impl->bytes.take({static_cast<char*>(into.data()), into.size()}); count > 0) {
          impl->changed.notify_one();
          co_return count;
        }
        if (impl->finished || into.size() == 0) co_return 0;
        impl->coroutine_waits = true;
      }
      co_await impl->wake.wait();
    }
  }

  static void end(const std::shared_ptr<Impl>& impl, std::exception_ptr error) {
    {
      const std::lock_guard lock(impl->mutex);
      end_writing(*impl, std::move(error));
      if (!std::exchange(impl->coroutine_waits, false)) return;
    }
    wake_coroutine(impl);
  }
};

FromBlocking::FromBlocking(Executor executor, std::size_t capacity)
    : impl_(std::make_shared<Impl>(std::move(executor), capacity)) {}

FromBlocking::~FromBlocking() = default;

void FromBlocking::write(std::span<const char> bytes) {
  while (!bytes.empty()) {
    bool wake = false;
    {
      std::unique_lock lock(impl_->mutex);
      impl_->changed.wait(lock, [this] { return impl_->reader_gone || impl_->bytes.room() > 0; });
      if (impl_->reader_gone) throw std::runtime_error("nobody reads any more what is being written");
      bytes = bytes.subspan(impl_->bytes.put(bytes));
      wake = std::exchange(impl_->coroutine_waits, false);
    }
    if (wake) wake_coroutine(impl_);
  }
}

void FromBlocking::finish() { Impl::end(impl_, nullptr); }

void FromBlocking::fail(std::exception_ptr error) { Impl::end(impl_, std::move(error)); }

Task<std::size_t> FromBlocking::read_some(asio::mutable_buffer into) { return Impl::read_some(impl_, into); }

void FromBlocking::stop_reading() {
  const std::lock_guard lock(impl_->mutex);
  impl_->reader_gone = true;
  impl_->bytes.clear();
  impl_->changed.notify_one();
}

}  // namespace io
