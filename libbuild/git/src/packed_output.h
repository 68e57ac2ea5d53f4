// A tree as git archive gives it, packed with gzip here: git's own has one thread and takes more than twice the time.
#pragma once

#include <io/blocking_pool.h>
#include <pargzip/writer.h>

#include <algorithm>
#include <cstring>

#include "command.h"

namespace build::git {

class Mirror::PackedOutput final : public Archive {
 public:
  /// `arguments` make git print a tar; the rest as for Output.
  PackedOutput(Command& git, std::vector<std::string> arguments, std::string purpose, io::BlockingPool& pool)
      : tar_(git, std::move(arguments), std::move(purpose), kLimit),
        pool_(pool),
        gzip_([this](std::span<const char> bytes) { packed_.append(bytes.data(), bytes.size()); }, kPacking) {}

  io::Task<std::size_t> read(io::asio::mutable_buffer into) override {
    while (given_ == packed_.size() && !ended_) co_await pack_more();
    const std::size_t size = std::min(into.size(), packed_.size() - given_);
    if (size > 0) std::memcpy(into.data(), packed_.data() + given_, size);
    given_ += size;
    co_return size;
  }

 private:
  /// Who reads it may be at the end of a slow line, and has limits of its own.
  static constexpr io::Duration kLimit = std::chrono::hours{24};
  static constexpr pargzip::WriterOptions kPacking{.chunk_size = 256 * 1024, .threads = 2};

  io::Task<> pack_more() {
    packed_.clear();
    given_ = 0;
    const std::string_view piece = co_await tar_.next();
    auto job = [this, piece] {
      if (piece.empty()) {
        gzip_.finish();
      } else {
        gzip_.write(piece);
      }
    };
    co_await pool_.run(job);
    ended_ = piece.empty();
  }

  Output tar_;
  io::BlockingPool& pool_;
  std::string packed_;
  std::size_t given_ = 0;
  bool ended_ = false;
  pargzip::Writer gzip_;
};

}  // namespace build::git
