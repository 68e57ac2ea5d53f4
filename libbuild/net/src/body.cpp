#include <build/net/body.h>

#include "body_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace build::net {

namespace {
constexpr std::size_t kReadSize = 16 * 1024;
}

BodySource::BodySource(std::shared_ptr<Wire> wire, BodyOptions options)
    : wire_(std::move(wire)),
      options_(std::move(options)),
      remaining_(options_.framing.length),
      decoder_(options_.chunks),
      ended_(options_.framing.kind == io::BodyFraming::Kind::none) {}

io::Task<std::size_t> BodySource::read_some(boost::asio::mutable_buffer into) {
  if (ended_ || into.size() == 0) co_return 0;
  if (!options_.interim.empty()) {
    const std::string interim = std::exchange(options_.interim, std::string());
    co_await wire_->write(interim, "sending 100 Continue", options_.write_timeout);
  }
  switch (options_.framing.kind) {
    case io::BodyFraming::Kind::none:
      break;
    case io::BodyFraming::Kind::length:
      co_return co_await read_length(into);
    case io::BodyFraming::Kind::chunked:
      co_return co_await read_chunked(into);
    case io::BodyFraming::Kind::until_close:
      co_return co_await read_until_close(into);
  }
  co_return 0;
}

io::Task<std::size_t> BodySource::read_length(boost::asio::mutable_buffer into) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), remaining_));
  const boost::asio::mutable_buffer part(into.data(), wanted);
  const std::size_t count = co_await wire_->read_some(part, options_.doing, options_.read_timeout);
  if (count == 0) cut_short();
  remaining_ -= count;
  if (remaining_ == 0) ended_ = true;
  co_return count;
}

io::Task<std::size_t> BodySource::read_chunked(boost::asio::mutable_buffer into) {
  if (malformed()) throw HttpError(options_.malformed_status, malformed_);
  while (true) {
    if (wire_->buffered().empty()) {
      if (!co_await wire_->fill(kReadSize, options_.doing, options_.read_timeout)) cut_short();
    }
    // A step's data is part of its input, so it fits into `into`. Only one buffer is looked at: what is
    // already there never has to wait for more.
    io::ChunkDecoder::Step step;
    try {
      step = decoder_.feed(wire_->buffered().substr(0, into.size()));
    } catch (const HttpError& error) {
      malformed_ = options_.doing + ": " + error.what();
      throw HttpError(options_.malformed_status, malformed_);
    }
    const std::size_t count = step.data.size();
    if (count > 0) std::memcpy(into.data(), step.data.data(), count);
    wire_->consume(step.consumed);
    if (decoder_.done()) ended_ = true;
    if (count > 0 || ended_) co_return count;
  }
}

io::Task<std::size_t> BodySource::read_until_close(boost::asio::mutable_buffer into) {
  const std::size_t count = co_await wire_->read_some(into, options_.doing, options_.read_timeout);
  if (count == 0) ended_ = true;
  co_return count;
}

void BodySource::cut_short() const {
  throw ConnectionLost(ConnectionLost::Why::closed,
                       options_.doing + " (" + wire_->peer() + "): the connection ended in the middle of it");
}

const io::Fields& BodySource::trailers() const {
  static const io::Fields kNone;
  return ended_ ? decoder_.trailers() : kNone;
}

BodyReader::BodyReader(std::shared_ptr<BodySource> source) : source_(std::move(source)) {}
BodyReader::~BodyReader() = default;

io::Task<std::size_t> BodyReader::read_some(boost::asio::mutable_buffer into) { return source_->read_some(into); }

io::Task<std::string> BodyReader::read_all(std::size_t limit) {
  const std::string too_large = "the body is larger than " + std::to_string(limit) + " bytes";
  if (source_->announced() > limit) throw HttpError(413, too_large);
  std::string body, piece;
  piece.resize(kReadSize);
  while (true) {
    const std::size_t count = co_await source_->read_some(boost::asio::buffer(piece));
    if (count == 0) co_return body;
    if (count > limit - body.size()) throw HttpError(413, too_large);
    body.append(piece, 0, count);
  }
}

bool BodyReader::ended() const noexcept { return source_->ended(); }
const io::Fields& BodyReader::trailers() const noexcept { return source_->trailers(); }

}  // namespace build::net
