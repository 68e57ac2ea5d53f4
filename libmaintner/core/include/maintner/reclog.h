// The framing of mutation logs: records, one right behind the other, and nothing else.
//
//   REC@<offset>+<size>=<payload>
//
// The offset is that of the R in this file (or network segment), the size that of the payload in bytes; both are
// hexadecimal. A header has at most kMaxHeader bytes. What the original writes has lower case and no padding; either
// case and leading zeros are read. The format is that of the Go project's maintner
// (golang.org/x/build/maintner/reclog).
//
// Nothing here is safe for use by several threads at once; different objects are independent. All of it blocks.
#pragma once

#include <build/base/file.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace maintner {

/// Of a record's header, with its "=".
inline constexpr std::size_t kMaxHeader = 40;

/// A record that cannot be read. what() names the fault and the place, without the file.
class RecordError : public std::runtime_error {
 public:
  enum class Fault {
    torn,             ///< the log ends inside of this record: what a writer leaves that died, or is still writing
    malformed,        ///< no header of the right form
    overlong_header,  ///< none within kMaxHeader bytes
    bad_offset,       ///< the header's offset is no number
    wrong_offset,     ///< it is one, but not that of this place
    bad_size,         ///< the payload's size is no number, or negative
  };
  RecordError(Fault which, std::uint64_t where, const std::string& text)
      : std::runtime_error(text), fault_(which), offset_(where) {}
  Fault fault() const noexcept { return fault_; }
  /// Where the record begins, and what is before it is whole.
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  Fault fault_;
  std::uint64_t offset_;
};

struct Record {
  std::uint64_t offset = 0;  ///< of its header
  std::string_view header;   ///< "REC@…+…="
  std::string_view payload;

  std::uint64_t end() const noexcept { return offset + header.size() + payload.size(); }
};

/// Goes through bytes that are there already, a mapped file for instance. They outlive the records, which are views.
class RecordReader {
 public:
  /// `base` is the offset of the first byte in its file: not 0 for a piece from the middle.
  explicit RecordReader(std::string_view bytes, std::uint64_t base = 0) : rest_(bytes), offset_(base) {}

  /// Nothing when the bytes are over. Throws RecordError, and again if it is called again.
  std::optional<Record> next();
  /// Of the next record: so far all is whole.
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::string_view rest_;
  std::uint64_t offset_;
};

/// Goes through a file, as long as it is when this is made, in memory for its largest record. Whoever writes to the
/// file meanwhile disturbs nothing; whoever cuts it makes its end torn.
class RecordFile {
 public:
  /// Throws std::system_error.
  explicit RecordFile(const std::filesystem::path& file);

  /// Nothing at the end. The views are good until the next call. Throws RecordError, and again if it is called again;
  /// std::system_error if the file cannot be read.
  std::optional<Record> next();
  /// Of the next record: so far all is whole.
  std::uint64_t offset() const noexcept { return offset_; }
  /// Of the file.
  std::uint64_t size() const noexcept { return size_; }

 private:
  /// The bytes from offset_ on, `count` of them at least, or all that are left.
  std::string_view look(std::uint64_t count);
  bool only_zeros_left();

  std::filesystem::path file_;
  build::base::UniqueFd fd_;
  std::uint64_t size_ = 0, offset_ = 0;
  std::string buffer_;  ///< of the file, from buffer_at_ on
  std::uint64_t buffer_at_ = 0;
};

/// A record as it stands in a log.
std::string framed(std::uint64_t offset, std::string_view payload);

/// Appends to one file, of which it is the only writer: it holds the file's lock (flock) as long as it lives.
///
/// A record is written in one piece, and taken back if that fails half way. One that was torn all the same, because the
/// machine or the process died, is found by the next writer.
class RecordWriter {
 public:
  enum class Torn {
    refuse,  ///< a torn record at the end is an error: RecordError
    cut,     ///< it is cut off; what is before it stays
  };
  /// Makes the file (0600) if it is missing, and reads through all of it. Throws RecordError if a record in it is
  /// malformed, std::system_error, naming the file, if it cannot be used or somebody else writes to it.
  explicit RecordWriter(const std::filesystem::path& file, Torn torn = Torn::refuse);

  /// Returns the new record's offset. It is visible to readers then, but on the disk only after sync(). Throws
  /// std::system_error; the file is as before, or, if even that fails, this writer refuses to go on.
  std::uint64_t append(std::string_view payload);
  /// Returns when all that was appended survives a loss of power. Throws std::system_error.
  void sync();

  std::uint64_t size() const noexcept { return size_; }
  /// How many bytes Torn::cut has cut off.
  std::uint64_t cut() const noexcept { return cut_; }

 private:
  std::filesystem::path file_;
  build::base::UniqueFd fd_;
  std::uint64_t size_ = 0, cut_ = 0;
  bool broken_ = false;
};

/// The log files of a directory ("maintner-*.mutlog"), in the order in which they are read, that of their names. What
/// lies in folders does not count. Throws std::system_error.
std::vector<std::filesystem::path> log_files(const std::filesystem::path& directory);
/// The name of the file for what is logged at `time`: one for each day of UTC.
std::string log_file_name(std::chrono::system_clock::time_point time);

}  // namespace maintner
