#include "walker.h"

#include <algorithm>
#include <cstring>

namespace pargzip {
namespace {

/// Output of one piece: what a core's cache holds.
constexpr std::size_t kStreamed = std::size_t{256} << 10;
constexpr std::size_t kGathered = std::size_t{2} << 20;
/// Members may be empty.
constexpr std::uint64_t kMembers = 4096;

[[noreturn]] void fail(ReadErrorKind kind, std::uint64_t offset, std::string_view what) {
  throw ReadError(kind, offset, "gzip: " + std::string(what) + " at byte " + std::to_string(offset));
}

[[noreturn]] void fail_truncated(std::uint64_t offset) {
  if (offset == 0) throw ReadError(ReadErrorKind::truncated, 0, "gzip: the file is empty");
  fail(ReadErrorKind::truncated, offset, "the file ends within a member,");
}

bool sized(const Header& header) { return header.state == Header::State::complete && header.member_size > 0; }

bool long_enough(const Header& header) { return header.member_size >= header.size + kTrailerSize; }

}  // namespace

void Piece::clear() {
  output_size = input_size = input_inflated = 0;
  members = bytes_in = 0;
  error = nullptr;
  last = false;
}

void inflate_whole(Piece& piece, engine::BlockInflater& inflater) {
  piece.output.reserve(piece.input_inflated);
  while (piece.input_size > 0) {
    const std::span<const char> left = piece.members_left();
    const Header header = parse_header(left);
    const auto size = static_cast<std::size_t>(header.member_size);
    const std::span<const char> data = left.subspan(header.size, size - header.size - kTrailerSize);
    const Trailer trailer = parse_trailer(left.subspan(size - kTrailerSize));
    const std::span<char> output(piece.output.data() + piece.output_size, trailer.length);
    if (!inflater.inflate(data, output) || engine::crc32(0, output) != trailer.crc) return;
    piece.member_offset = piece.input_offset;
    piece.output_size += output.size();
    piece.bytes_in += size;
    ++piece.members;
    piece.input_begin += size;
    piece.input_offset += size;
    piece.input_size -= size;
  }
}

Walker::Walker(const Piece& piece)
    : input_(
          [left = piece.members_left()](std::span<char> into) mutable {
            const std::size_t size = std::min(left.size(), into.size());
            std::copy_n(left.begin(), size, into.begin());
            left = left.subspan(size);
            return size;
          },
          piece.input_offset),
      first_(false),
      gathers_(false) {}

void Walker::next(Piece& piece) noexcept {
  piece.clear();
  try {
    fill(piece);
  } catch (...) {  // a source throws what it likes, and the caller gets it
    piece.error = std::current_exception();
    piece.last = true;
  }
}

void Walker::fill(Piece& piece) {
  bool more = true;
  while (more && piece.output_size < kStreamed && piece.members < kMembers) {
    if (!inside_) {
      const Start start = find_member(piece.output_size == 0);
      piece.last = start == Start::end;
      if (start != Start::member) return;
      if (gathers_ && sized(header_) && long_enough(header_) && header_.member_size <= kMaxParallelMember) {
        // Output that is there goes first.
        if (piece.members > 0 || gather(piece)) return;
      }
      begin_stream();
    }
    piece.output.reserve(kStreamed);
    more = data_ended_ ? finish_stream(piece) : inflate(piece);
  }
}

/// Reads until a member's header is there as a whole.
Walker::Start Walker::find_member(bool may_read) {
  for (;;) {
    header_ = parse_header(input_.bytes());
    switch (header_.state) {
      case Header::State::complete:
        return Start::member;
      case Header::State::damaged:
        fail(ReadErrorKind::bad_header, input_.offset(),
             "damaged header (" + std::string(header_.complaint) + ") of the member");
      case Header::State::no_magic:
        if (first_) fail(ReadErrorKind::not_gzip, 0, "this is no gzip file: no member begins");
        return end_of_members(may_read);
      case Header::State::incomplete:
        break;
    }
    if (!may_read && !first_) return Start::none_yet;
    if (input_.more()) continue;
    const std::size_t size = input_.bytes().size();
    if (size == 0 && !first_) return Start::end;
    if (size == 1 && !first_) return end_of_members(may_read);
    fail_truncated(input_.offset() + size);
  }
}

/// Zeros are let pass up to the file's end.
Walker::Start Walker::end_of_members(bool may_read) {
  if (!may_read) return Start::none_yet;
  const std::uint64_t begin = input_.offset();
  do {
    const std::span<const char> bytes = input_.bytes();
    if (std::any_of(bytes.begin(), bytes.end(), [](char c) { return c != '\0'; })) {
      fail(ReadErrorKind::trailing_garbage, begin, "after the last member comes something else,");
    }
    input_.consume(bytes.size());
  } while (input_.more());
  return Start::end;
}

/// As many whole members as make a good piece of work; false if the first of them is not to be had.
bool Walker::gather(Piece& piece) {
  if (!input_.at_least(static_cast<std::size_t>(header_.member_size))) return false;
  std::size_t size = 0, inflated = 0;
  for (Header header = header_; sized(header) && long_enough(header);) {
    const std::span<const char> rest = input_.bytes().subspan(size);
    if (header.member_size > rest.size()) break;
    const auto member_size = static_cast<std::size_t>(header.member_size);
    const std::size_t length = parse_trailer(rest.subspan(member_size - kTrailerSize)).length;
    if (inflated + length > (size == 0 ? kMaxParallelMember : kGathered)) break;
    size += member_size;
    inflated += length;
    header = parse_header(rest.subspan(member_size));
  }
  if (size == 0) return false;
  piece.input_offset = input_.offset();
  piece.input_size = size;
  piece.input_inflated = inflated;
  piece.input_begin = input_.give_away(size, piece.input);
  first_ = false;
  return true;
}

void Walker::begin_stream() {
  if (!inflater_) inflater_ = engine::make_stream_inflater();
  inflater_->reset();
  offset_ = input_.offset();
  if (sized(header_) && !long_enough(header_)) {
    fail(ReadErrorKind::bad_header, offset_, "the size field says less than a header and a trailer in the member");
  }
  input_.consume(header_.size);
  data_left_ = sized(header_) ? header_.member_size - header_.size - kTrailerSize : ~std::uint64_t{0};
  length_ = 0;
  crc_ = 0;
  trailer_.clear();
  first_ = false;
  inside_ = true;
  data_ended_ = false;
}

/// False if the piece should be given before more is read.
bool Walker::inflate(Piece& piece) {
  piece.member_offset = offset_;
  const std::span<const char> bytes = input_.bytes();
  const std::span<char> room(piece.output.data() + piece.output_size, kStreamed - piece.output_size);
  const auto step =
      inflater_->step(bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), data_left_))), room);
  input_.consume(step.consumed);
  data_left_ -= step.consumed;
  crc_ = engine::crc32(crc_, room.first(step.produced));
  length_ += step.produced;
  piece.output_size += step.produced;
  switch (step.status) {
    case engine::StreamInflater::Status::bad:
      fail(ReadErrorKind::bad_data, offset_, "damaged data in the member");
    case engine::StreamInflater::Status::end:
      trailer_.assign(inflater_->leftover().begin(), inflater_->leftover().end());
      if (sized(header_) && (data_left_ > 0 || !trailer_.empty())) {
        fail(ReadErrorKind::bad_header, offset_, "the size field says more than there is in the member");
      }
      data_ended_ = true;
      return true;
    case engine::StreamInflater::Status::more:
      break;
  }
  if (step.consumed + step.produced > 0) return true;
  if (data_left_ == 0) fail(ReadErrorKind::bad_header, offset_, "the size field says less than there is in the member");
  if (piece.output_size > 0) return false;
  if (!input_.more()) fail_truncated(input_.offset());
  return true;
}

/// False if the piece should be given before more is read.
bool Walker::finish_stream(Piece& piece) {
  const std::size_t size = std::min(kTrailerSize - trailer_.size(), input_.bytes().size());
  trailer_.append(input_.bytes().data(), size);
  input_.consume(size);
  if (trailer_.size() == kTrailerSize) {
    check_trailer(piece);
    return true;
  }
  if (piece.output_size > 0) return false;
  if (!input_.more()) fail_truncated(input_.offset());
  return true;
}

void Walker::check_trailer(Piece& piece) {
  const Trailer trailer = parse_trailer(trailer_);
  if (trailer.crc != crc_) fail(ReadErrorKind::bad_checksum, offset_, "bad checksum in the member");
  if (trailer.length != (length_ & 0xffffffff)) {
    fail(ReadErrorKind::bad_length, offset_, "the length at the end is wrong in the member");
  }
  piece.bytes_in += input_.offset() - offset_;
  ++piece.members;
  inside_ = false;
}

}  // namespace pargzip
