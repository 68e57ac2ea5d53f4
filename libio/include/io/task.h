// The vocabulary of asynchronous code: what a coroutine returns and where it runs.
//
// Every object of libio and of the libraries above it lives on one executor, handed in when it is made:
// all its member functions are called on that executor, and its callbacks run there. A program gives
// everything one event loop with one thread (io::EventLoop); somebody who links a single library may
// give each object a strand instead. Code that must block runs on the BlockingPool.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <exception>
#include <functional>

namespace io {

namespace asio = boost::asio;

/// What a coroutine returns. Lazy: nothing runs before it is awaited or spawned.
template <typename T = void>
using Task = asio::awaitable<T>;

using Executor = asio::any_io_executor;

/// Starts `task` on `executor` with nobody waiting for it. A task that ends by an exception (other than
/// one that says the operation was cancelled: operation_aborted) is handed to `on_error`, which must not throw.
void spawn(Executor executor, Task<> task, std::function<void(std::exception_ptr)> on_error);

}  // namespace io
