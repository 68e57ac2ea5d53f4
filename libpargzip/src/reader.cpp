#include <pargzip/reader.h>

#include <algorithm>

#include "pieces.h"
#include "threads.h"

namespace pargzip {

ReadError::ReadError(ReadErrorKind kind, std::uint64_t offset, const std::string& sentence)
    : std::runtime_error(sentence), kind_(kind), offset_(offset) {}
ReadError::~ReadError() = default;

struct Reader::Impl {
  Impl(Source source, const ReaderOptions& options)
      : max_output(options.max_output), pieces(make_pieces(std::move(source), threads_for(options.threads))) {}

  /// Output, at most up to the limit.
  std::span<const char> next() {
    try {
      while (rest.empty()) {
        if (!advance()) return {};
      }
      if (bytes_out == max_output) {
        throw ReadError(ReadErrorKind::limit, piece->member_offset,
                        "gzip: more than " + std::to_string(max_output) + " bytes of output, in the member at byte " +
                            std::to_string(piece->member_offset));
      }
    } catch (...) {  // a source throws what it likes
      error = std::current_exception();
      throw;
    }
    return rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), max_output - bytes_out)));
  }

  void take(std::size_t size) {
    rest = rest.subspan(size);
    bytes_out += size;
  }

  /// To the next piece; false at the end.
  bool advance() {
    if (error) std::rethrow_exception(error);
    if (piece != nullptr && !pass(*piece)) return false;
    if (again) {
      piece = &again_piece;
      again->next(again_piece);
    } else {
      piece = &pieces->next();
    }
    rest = {piece->output.data(), piece->output_size};
    return true;
  }

  /// All output of `done` was given: what follows from it? False at the end.
  bool pass(Piece& done) {
    members += done.members;
    bytes_in += done.bytes_in;
    done.members = done.bytes_in = 0;
    if (done.error) std::rethrow_exception(done.error);
    if (done.input_size > 0) {
      // The fast way did not like a member.
      again = std::make_unique<Walker>(done);
      done.input_size = 0;
    } else if (&done == &again_piece && done.last) {
      again.reset();
    } else {
      return !done.last;
    }
    return true;
  }

  const std::uint64_t max_output;
  std::uint64_t bytes_in = 0, bytes_out = 0, members = 0;
  std::exception_ptr error;
  std::span<const char> rest;  ///< of piece's output
  Piece* piece = nullptr;
  std::unique_ptr<Walker> again;  ///< looks at left members as a stream; they lie in the last piece from `pieces`
  Piece again_piece;
  std::unique_ptr<Pieces> pieces;
};

namespace {

const ReaderOptions& checked_for_reading(const ReaderOptions& options) {
  if (options.threads > kMaxThreads) throw std::invalid_argument("pargzip: more than 1024 threads");
  return options;
}

}  // namespace

Reader::Reader(Source source, const ReaderOptions& options)
    : impl_(std::make_unique<Impl>(std::move(source), checked_for_reading(options))) {}

Reader::~Reader() = default;

std::size_t Reader::read(std::span<char> into) {
  if (into.empty()) return 0;
  const std::span<const char> bytes = impl_->next();
  const std::size_t size = std::min(bytes.size(), into.size());
  std::copy_n(bytes.begin(), size, into.begin());
  impl_->take(size);
  return size;
}

std::span<const char> Reader::next() {
  const std::span<const char> bytes = impl_->next();
  impl_->take(bytes.size());
  return bytes;
}

std::uint64_t Reader::bytes_in() const noexcept { return impl_->bytes_in; }
std::uint64_t Reader::bytes_out() const noexcept { return impl_->bytes_out; }
std::uint64_t Reader::members() const noexcept { return impl_->members; }

}  // namespace pargzip
