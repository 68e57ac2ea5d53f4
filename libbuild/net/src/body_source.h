// What a BodyReader reads from: one message's body on a Wire.
#pragma once

#include "wire.h"

#include <build/net/body.h>
#include <io/http1.h>

#include <memory>
#include <string>

namespace build::net {

struct BodyOptions {
  io::BodyFraming framing;
  io::ChunkLimits chunks;
  io::Duration read_timeout{};   ///< zero: none
  io::Duration write_timeout{};  ///< for `interim`
  int malformed_status = 400;
  std::string doing;    ///< "reading the request's body", for errors
  std::string interim;  ///< sent before the first wait for the body ("100 Continue")
};

class BodySource {
 public:
  BodySource(std::shared_ptr<Wire> wire, BodyOptions options);

  io::Task<std::size_t> read_some(boost::asio::mutable_buffer into);
  bool ended() const { return ended_; }
  /// It cannot be understood, so nothing behind it can be.
  bool malformed() const { return !malformed_.empty(); }
  const io::Fields& trailers() const;
  /// Bytes announced and not read yet; 0 if that is unknown or there are none.
  std::uint64_t announced() const { return remaining_; }
  bool interim_pending() const { return !options_.interim.empty(); }
  void drop_interim() { options_.interim.clear(); }
  void set_read_timeout(io::Duration limit) { options_.read_timeout = limit; }

 private:
  io::Task<std::size_t> read_length(boost::asio::mutable_buffer into);
  io::Task<std::size_t> read_chunked(boost::asio::mutable_buffer into);
  io::Task<std::size_t> read_until_close(boost::asio::mutable_buffer into);
  [[noreturn]] void cut_short() const;

  std::shared_ptr<Wire> wire_;
  BodyOptions options_;
  std::uint64_t remaining_ = 0;
  io::ChunkDecoder decoder_;
  bool ended_ = false;
  std::string malformed_;
};

}  // namespace build::net
