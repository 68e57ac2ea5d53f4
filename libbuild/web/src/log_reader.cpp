#include "log_reader.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <stdexcept>
#include <utility>

namespace build::web {

namespace asio = boost::asio;

LogReader::LogReader(livelog::LogStore& logs, io::Executor executor, io::Event& wake, std::size_t piece)
    : logs_(logs), executor_(std::move(executor)), wake_(wake), room_(piece) {}

void LogReader::begin(model::RunId run, std::uint64_t offset) {
  if (given_up_) throw boost::system::system_error(asio::error::operation_aborted);
  reading_ = true;
  const asio::mutable_buffer into(room_.data(), room_.size());
  io::Task<std::size_t> task = logs_.read(std::move(run), offset, into, livelog::LogStore::Follow::yes);
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(
                     cancel_.slot(), [this](std::exception_ptr error, std::size_t count) { finished(error, count); }));
}

void LogReader::finished(std::exception_ptr error, std::size_t count) {
  reading_ = false;
  error_ = std::move(error);
  count_ = count;
  wake_.notify_all();
}

LogReader::Result LogReader::take() {
  if (!count_) return {};
  const std::size_t count = *std::exchange(count_, std::nullopt);
  const std::exception_ptr error = std::exchange(error_, nullptr);
  if (!error) return {count == 0 ? Came::end : Came::bytes, std::string_view(room_.data(), count)};
  try {
    std::rethrow_exception(error);
  } catch (const std::out_of_range&) {
    return {Came::no_log, {}};
  }
}

void LogReader::give_up() {
  given_up_ = true;
  cancel_.emit(asio::cancellation_type::terminal);
}

io::Task<> LogReader::stop() {
  give_up();
  while (reading_) co_await wake_.wait();
}

}  // namespace build::web
