// A thing that happens, and coroutines that wait for it.
#pragma once

#include <io/task.h>

#include <memory>

namespace io {

/// Coroutines wait; notify_all() wakes those that wait at that moment. Like a condition variable on one
/// executor: check the condition, wait, check again. Waiting coroutines must have ended, or been woken,
/// before it is destroyed (its destructor wakes them with operation_aborted).
class Event {
 public:
  explicit Event(Executor executor);
  ~Event();

  /// Cancelling the awaiting coroutine ends the wait with operation_aborted.
  Task<> wait();
  void notify_all();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Keeps count of tasks that use an object, so that it can wait for the last one before it goes.
class Gate {
 public:
  explicit Gate(Executor executor);
  ~Gate();

  class Pass {
   public:
    explicit Pass(Gate& gate);
    Pass(Pass&& other) noexcept;
    Pass& operator=(Pass&&) = delete;
    ~Pass();

   private:
    Gate* gate_;
  };

  /// Keep the result for as long as the task runs.
  Pass enter() { return Pass(*this); }
  bool closed() const noexcept { return closed_; }
  std::size_t inside() const noexcept { return inside_; }
  /// Marks the gate as closed and waits until nobody is inside.
  Task<> close();

 private:
  friend class Pass;
  std::size_t inside_ = 0;
  bool closed_ = false;
  Event changed_;
};

}  // namespace io
