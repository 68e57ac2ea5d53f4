#include <io/task.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace io {

void spawn(Executor executor, Task<> task, std::function<void(std::exception_ptr)> on_error) {
  asio::co_spawn(executor, std::move(task), [on_error = std::move(on_error)](std::exception_ptr error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
      if (e.code() == asio::error::operation_aborted) return;
    } catch (const std::exception&) {
      // Not a cancellation: on_error below gets it.
    }
    on_error(error);
  });
}

}  // namespace io
