// The entries of an archive that a stranger sent, one after the other, and their content.
#pragma once

#include <tarutil/extract.h>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tar_stream.h"

struct archive;
struct archive_entry;

namespace tarutil {

/// Of what libarchive may have not.
inline std::string_view view_of(const char* text) { return text == nullptr ? std::string_view() : text; }

class ArchiveReader {
 public:
  /// Both are borrowed. Reads the archive's first bytes. Throws ExtractError and what `source` throws, as all here.
  ArchiveReader(const Source& source, const ExtractOptions& options, unsigned threads);

  /// The next entry, valid until the next call; nullptr at the archive's end.
  archive_entry* next();

  /// A piece of the entry's content; between pieces lie zeros.
  struct Block {
    std::string_view bytes;  ///< valid until the next call
    std::uint64_t offset;
  };
  /// Sets `block` to the next piece that is not empty and lies within `size`, the entry's size; false after the last.
  bool next_block(Block& block, std::uint64_t size);

  /// After the end: reads the rest. It must be zeros, and the compression be whole.
  void check_rest();

  /// Of the entry that was read last, as it stands in the archive; empty before the first.
  const std::string& name() const noexcept { return name_; }

 private:
  struct Free {
    void operator()(archive* reader) const;
  };
  friend struct Feed;

  std::span<const char> pull();
  std::span<const char> checked_piece();
  [[noreturn]] void fail() const;
  [[noreturn]] void fail(const std::string& why) const;

  std::uint64_t expansion_;
  TarStream stream_;
  std::exception_ptr failure_;
  /// What was pulled and not given yet: the last piece's rest, and the block that goes over from it to the next.
  std::span<const char> rest_;
  std::array<char, 512> block_{};
  std::span<const char> given_;  // last, and where in the tar it ends
  std::uint64_t given_end_ = 0;
  std::unique_ptr<archive, Free> reader_;
  std::string name_;
  bool in_data_ = false;
};

}  // namespace tarutil
