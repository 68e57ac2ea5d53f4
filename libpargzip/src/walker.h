// Walks through the members of a gzip file and says of each what is to be done with it.
//
// A member that says how long it is, and is not too long, becomes part of a piece to be inflated elsewhere
// (inflate_whole); all else is inflated here, as a stream. The fast way only ever says "fine": whatever it does not
// like is done again as a stream, which finds out what is wrong and gives what comes before it. So there is one place
// that judges, and the output is the same for any number of threads.
#pragma once

#include <exception>
#include <string>

#include "buffer.h"
#include "engine.h"
#include "input.h"
#include "member.h"

namespace pargzip {

/// A part of the file on its way. Its memory is used again for the next one.
struct Piece {
  Buffer output;
  std::size_t output_size = 0;

  /// Whole members still to be inflated, behind `output`; where they lie in `input` and in the file.
  Buffer input;
  std::size_t input_begin = 0, input_size = 0;
  std::uint64_t input_offset = 0;
  std::size_t input_inflated = 0;  ///< what they say that they become

  std::uint64_t members = 0, bytes_in = 0;  ///< that end in `output`
  std::uint64_t member_offset = 0;          ///< of the last member in it
  std::exception_ptr error;                 ///< what comes after `output`
  bool last = false;

  void clear();
  std::span<const char> members_left() const { return {input.data() + input_begin, input_size}; }
};

/// Inflates whole members of `piece` until one is not as it should be; that and those after it are left.
void inflate_whole(Piece& piece, engine::BlockInflater& inflater);

class Walker {
 public:
  explicit Walker(Source source) : input_(std::move(source), 0), first_(true), gathers_(true) {}
  /// Goes on with those that inflate_whole() left, as a stream.
  explicit Walker(const Piece& piece);

  /// Puts what comes next into `piece`: output (perhaps none), members, or an error. Does not throw. The source is not
  /// called if there is output to be given without.
  void next(Piece& piece) noexcept;

 private:
  enum class Start { member, none_yet, end };

  void fill(Piece& piece);
  Start find_member(bool may_read);
  Start end_of_members(bool may_read);
  bool gather(Piece& piece);
  void begin_stream();
  bool inflate(Piece& piece);
  bool finish_stream(Piece& piece);
  void check_trailer(Piece& piece);

  Input input_;
  bool first_, gathers_;
  Header header_;
  std::unique_ptr<engine::StreamInflater> inflater_;

  // The member that is being streamed.
  bool inside_ = false, data_ended_ = false;
  std::uint64_t offset_ = 0;     ///< where it begins
  std::uint64_t data_left_ = 0;  ///< how much deflate data there still is, if it said so
  std::uint64_t length_ = 0;
  std::uint32_t crc_ = 0;
  std::string trailer_;
};

}  // namespace pargzip
