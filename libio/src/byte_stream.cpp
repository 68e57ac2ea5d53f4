#include <io/byte_stream.h>

#include "failure.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace io {
namespace {

class SurplusStream final : public ByteStream {
 public:
  SurplusStream(std::string surplus, StreamPtr stream) : surplus_(std::move(surplus)), stream_(std::move(stream)) {}

  Executor executor() override { return stream_->executor(); }

  Task<std::size_t> read_some(asio::mutable_buffer into) override {
    if (given_ < surplus_.size()) return give(into);
    return stream_->read_some(into);
  }

  Task<> write(asio::const_buffer from) override { return stream_->write(from); }
  Task<> shutdown_write() override { return stream_->shutdown_write(); }

  void close() noexcept override {
    closed_ = true;
    stream_->close();
  }

  void set_user_timeout(std::chrono::milliseconds limit) noexcept override { stream_->set_user_timeout(limit); }
  bool secure() const noexcept override { return stream_->secure(); }
  std::string peer() const override { return stream_->peer(); }

 private:
  Task<std::size_t> give(asio::mutable_buffer into) {
    if (closed_) throw Failure(asio::error::operation_aborted, "read from " + peer());
    const std::size_t count = surplus_.copy(static_cast<char*>(into.data()), into.size(), given_);
    given_ += count;
    if (given_ == surplus_.size()) {
      surplus_ = std::string();
      given_ = 0;
    }
    co_return count;
  }

  std::string surplus_;
  std::size_t given_ = 0;
  bool closed_ = false;
  StreamPtr stream_;
};

}  // namespace

StreamPtr with_surplus(std::string surplus, StreamPtr stream) {
  if (surplus.empty()) return stream;
  return std::make_unique<SurplusStream>(std::move(surplus), std::move(stream));
}

}  // namespace io
