// Entries going in, a tar.gz coming out piece by piece: pax, names as bytes.
#pragma once

#include <pargzip/writer.h>
#include <tarutil/header.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>

struct archive;
struct archive_entry;

namespace tarutil {

/// As much is read and written at once.
inline constexpr std::size_t kPieceSize = 64 * 1024;
/// What compresses to nearly nothing must not keep a call for ever.
inline constexpr std::size_t kInputPerCall = 4 * 1024 * 1024;

class TarWriter {
 public:
  /// `what` begins the sentences of errors: "packing src". Throws std::bad_alloc, and std::invalid_argument for options
  /// out of range.
  TarWriter(std::string what, const pargzip::WriterOptions& options);

  /// All three throw std::runtime_error if libarchive refuses.
  void begin(const EntryHeader& header, std::uint64_t size);
  /// The next bytes of the entry; all pieces together are as long as begin() was told.
  void content(std::span<const char> bytes);
  void finish();

  /// Calls `step`, which packs something and gives how many bytes it read for that, until a piece has come together,
  /// much was read, or `done`. Appends what was packed to `out`; false if done.
  template <typename Step>
  bool next(std::string& out, const bool& done, Step step) {
    std::size_t read = 0;
    while (!done && packed_.size() < kPieceSize && read < kInputPerCall) read += step();
    out += packed_;
    packed_.clear();
    return !done;
  }

 private:
  struct FreeWriter {
    void operator()(archive* writer) const;
  };
  struct FreeEntry {
    void operator()(archive_entry* entry) const;
  };
  friend struct Collect;
  void check(int result) const;

  std::string what_, packed_;
  pargzip::Writer gzip_;
  std::exception_ptr failure_;
  std::unique_ptr<archive, FreeWriter> writer_;
  std::unique_ptr<archive_entry, FreeEntry> entry_;
};

}  // namespace tarutil
