#include "archive_reader.h"

#include <tarutil/path_rule.h>

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "names_locale.h"

namespace tarutil {

namespace {

constexpr std::size_t kBlock = 512;
/// Tapes were filled up with zeros; 10 KiB is usual.
constexpr std::uint64_t kMaxRest = std::uint64_t{16} << 20;

}  // namespace

/// libarchive's read callback. Errors cannot pass through C frames and wait in the reader.
struct Feed {
  static la_ssize_t read(archive* from, void* self, const void** bytes) noexcept {
    ArchiveReader& reader = *static_cast<ArchiveReader*>(self);
    try {
      const std::span<const char> piece = reader.pull();
      *bytes = piece.data();
      return static_cast<la_ssize_t>(piece.size());
    } catch (const std::exception&) {
      reader.failure_ = std::current_exception();
      archive_set_error(from, EIO, "the source failed");
      return -1;
    }
  }
};

void ArchiveReader::Free::operator()(archive* reader) const { archive_read_free(reader); }

ArchiveReader::ArchiveReader(const Source& source, const ExtractOptions& options, unsigned threads)
    : expansion_(options.limits.expansion), stream_(source, options, threads), reader_(archive_read_new()) {
  if (!reader_) throw std::bad_alloc();
  // Exactly tar: nothing is guessed from what the stranger sent.
  if (archive_read_set_format(reader_.get(), ARCHIVE_FORMAT_TAR) != ARCHIVE_OK ||
      archive_read_open(reader_.get(), this, nullptr, &Feed::read, nullptr) != ARCHIVE_OK) {
    fail();
  }
}

// Whole blocks, so that libarchive need not copy any together. Empty at the end.
std::span<const char> ArchiveReader::pull() {
  if (rest_.empty()) rest_ = checked_piece();
  const std::size_t whole = rest_.size() / kBlock * kBlock;
  if (whole > 0) {
    given_ = rest_.first(whole);
    rest_ = rest_.subspan(whole);
  } else {
    std::size_t filled = 0;
    while (filled < kBlock && !rest_.empty()) {
      const std::size_t size = std::min(rest_.size(), kBlock - filled);
      std::copy_n(rest_.data(), size, block_.data() + filled);
      filled += size;
      rest_ = rest_.subspan(size);
      if (rest_.empty() && filled < kBlock) rest_ = checked_piece();
    }
    given_ = std::span(block_).first(filled);
  }
  given_end_ += given_.size();
  return given_;
}

std::span<const char> ArchiveReader::checked_piece() {
  const std::span<const char> piece = stream_.next();
  const std::uint64_t out = stream_.bytes_out();
  if (expansion_ != 0 && out > kFreeExpansion && (out - kFreeExpansion) / expansion_ > stream_.bytes_in()) {
    const std::string where = name_.empty() ? "" : "; entry " + quoted(name_) + " goes beyond that";
    throw ExtractError(
        ExtractErrorKind::limit, name_,
        "tar file unpacks to more than " + std::to_string(expansion_) + " times the bytes that were sent" + where);
  }
  return piece;
}

archive_entry* ArchiveReader::next() {
  const ByteNames bytes;
  in_data_ = false;
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(reader_.get(), &entry);
  if (result == ARCHIVE_EOF) return nullptr;
  // Names are bytes to us.
  const bool only_charset =
      result == ARCHIVE_WARN &&
      view_of(archive_error_string(reader_.get())).find("can't be converted") != std::string_view::npos;
  if (result != ARCHIVE_OK && !only_charset) fail();
  name_ = view_of(archive_entry_pathname(entry));
  in_data_ = true;
  return entry;
}

bool ArchiveReader::next_block(Block& block, std::uint64_t size) {
  const void* bytes = nullptr;
  std::size_t count = 0;
  la_int64_t offset = 0;
  do {
    const int result = archive_read_data_block(reader_.get(), &bytes, &count, &offset);
    if (result == ARCHIVE_EOF) return false;
    if (result != ARCHIVE_OK) fail();
    if (offset < 0 || static_cast<std::uint64_t>(offset) > size || count > size - static_cast<std::uint64_t>(offset)) {
      fail("more data than its header says");
    }
  } while (count == 0);
  block = {{static_cast<const char*>(bytes), count}, static_cast<std::uint64_t>(offset)};
  return true;
}

void ArchiveReader::check_rest() {
  const auto header_position = static_cast<std::uint64_t>(archive_read_header_position(reader_.get()));
  const auto read = static_cast<std::uint64_t>(archive_filter_bytes(reader_.get(), 0));
  name_.clear();
  if (given_end_ <= header_position) fail("unexpected EOF: the blocks at the archive's end are missing");
  // libarchive has looked at no more than these.
  std::span<const char> piece = given_.last(std::min<std::uint64_t>(given_.size(), given_end_ - read));
  try {
    for (std::uint64_t size = 0; size <= kMaxRest; size += piece.size()) {
      if (std::any_of(piece.begin(), piece.end(), [](char c) { return c != 0; })) {
        fail("bytes follow the archive's end");
      }
      piece = pull();
      if (piece.empty()) return;
    }
  } catch (const StreamError&) {
    failure_ = std::current_exception();
    fail();
  }
  throw ExtractError(ExtractErrorKind::limit, "",
                     "tar file goes on after its end for more than " + std::to_string(kMaxRest) + " bytes");
}

void ArchiveReader::fail() const {
  if (!failure_) {
    const bool cut = view_of(archive_error_string(reader_.get())).find("runcated") != std::string_view::npos;
    fail(cut ? "unexpected EOF" : "archive/tar: invalid tar header");
  }
  try {
    std::rethrow_exception(failure_);
  } catch (const StreamError& error) {
    fail(error.cut() ? "unexpected EOF" : error.what());
  }
}

void ArchiveReader::fail(const std::string& why) const {
  const std::string where = name_.empty() || !in_data_ ? "" : "entry " + quoted(name_) + ": ";
  throw ExtractError(ExtractErrorKind::bad_tar, name_, "tar error: " + where + why);
}

}  // namespace tarutil
