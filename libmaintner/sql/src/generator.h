// A coroutine that yields one thing after the other. What has a destructor is named before it is yielded: g++ 12
// destroys what is made within the expression twice.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <utility>

namespace maintner {

template <class T>
class Generator {
 public:
  struct promise_type {
    Generator get_return_object() { return Generator(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(const T& value) noexcept {
      current = std::addressof(value);
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() { throw; }
    const T* current = nullptr;
  };

  Generator(Generator&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Generator& operator=(Generator&&) = delete;
  ~Generator() {
    if (handle_) handle_.destroy();
  }

  /// The next; nullptr: there is none. Good until the next call.
  const T* next() {
    handle_.resume();
    return handle_.done() ? nullptr : handle_.promise().current;
  }

 private:
  explicit Generator(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace maintner
