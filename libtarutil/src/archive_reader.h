// The entries of an archive that a stranger sent, one after the other, and their content.
#pragma once

#include <tarutil/extract.h>

#include <cstdint>
#include <exception>
#include <memory>
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
  ArchiveReader(const Source& source, const ExtractOptions& options);

  /// The next entry, valid until the next call; nullptr at the archive's end.
  archive_entry* next();

  /// A piece of the entry's content; between pieces lie zeros.
  struct Block {
    std::string_view bytes;  ///< valid until the next call
    std::uint64_t offset;
  };
  /// Sets `block` to the next piece that is not empty and lies within `size`, the entry's size; false after the last.
  bool next_block(Block& block, std::uint64_t size);

  /// Of the entry that was read last, as it stands in the archive; empty before the first.
  const std::string& name() const noexcept { return name_; }

 private:
  struct Free {
    void operator()(archive* reader) const;
  };
  friend struct Feed;

  std::span<const char> pull();
  [[noreturn]] void fail() const;
  [[noreturn]] void fail(const std::string& why) const;

  std::uint64_t expansion_;
  TarStream stream_;
  std::exception_ptr failure_;
  std::unique_ptr<archive, Free> reader_;
  std::string name_;
  bool in_data_ = false;
};

}  // namespace tarutil
