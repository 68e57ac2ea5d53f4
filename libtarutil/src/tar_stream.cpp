// How it works: the first bytes are read to tell the packing and are then given again, in front of the rest, to the
// decoder that was chosen by them. With several threads the gzip decoder calls the source on a thread of its own.
#include "tar_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <pargzip/reader.h>

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <string_view>

namespace tarutil {

namespace {

constexpr std::size_t kHead = 10;  // what a gzip header has at least
constexpr std::size_t kBuffer = 64 * 1024;

/// As a gzip reader judges the first ten bytes.
std::optional<std::string> gzip_problem(std::string_view start) {
  if (start.empty()) return "EOF";
  if (start.size() < kHead) return "unexpected EOF";
  if (start[0] != '\x1f' || start[1] != '\x8b' || start[2] != 8) return "gzip: invalid header";
  return std::nullopt;
}

/// Nothing to undo.
class PlainDecoder : public Decoder {
 public:
  explicit PlainDecoder(Source source) : source_(std::move(source)), buffer_(kBuffer) {}

  std::span<const char> next() override { return {buffer_.data(), source_(buffer_)}; }

 private:
  Source source_;
  std::vector<char> buffer_;
};

class GzipDecoder : public Decoder {
 public:
  GzipDecoder(Source source, unsigned threads) : reader_(std::move(source), {.threads = threads}) {}

  std::span<const char> next() override {
    try {
      return reader_.next();
    } catch (const pargzip::ReadError& error) {
      throw StreamError(error.kind() == pargzip::ReadErrorKind::truncated, error.what());
    }
  }

 private:
  pargzip::Reader reader_;
};

/// A libarchive filter around bytes that are not looked at.
class FilterDecoder : public Decoder {
 public:
  FilterDecoder(Source source, int filter) : source_(std::move(source)), buffer_(kBuffer), reader_(archive_read_new()) {
    if (!reader_) throw std::bad_alloc();
    archive* reader = reader_.get();
    if (archive_read_append_filter(reader, filter) < ARCHIVE_WARN ||
        archive_read_set_format(reader, ARCHIVE_FORMAT_RAW) != ARCHIVE_OK ||
        archive_read_open(reader, this, nullptr, &FilterDecoder::read, nullptr) != ARCHIVE_OK) {
      fail();
    }
  }

  std::span<const char> next() override {
    if (!begun_) {
      archive_entry* entry = nullptr;
      const int result = archive_read_next_header(reader_.get(), &entry);
      if (result == ARCHIVE_EOF) return {};
      if (result != ARCHIVE_OK) fail();
      begun_ = true;
    }
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(reader_.get(), &bytes, &size, &offset);
    if (result == ARCHIVE_EOF) return {};
    if (result != ARCHIVE_OK) fail();
    return {static_cast<const char*>(bytes), size};
  }

 private:
  struct Free {
    void operator()(archive* reader) const { archive_read_free(reader); }
  };

  // Errors cannot pass through C frames and wait here.
  static la_ssize_t read(archive* reader, void* self, const void** bytes) noexcept {
    FilterDecoder& decoder = *static_cast<FilterDecoder*>(self);
    *bytes = decoder.buffer_.data();
    try {
      return static_cast<la_ssize_t>(decoder.source_(decoder.buffer_));
    } catch (const std::exception&) {
      decoder.failure_ = std::current_exception();
      archive_set_error(reader, EIO, "the source failed");
      return -1;
    }
  }

  [[noreturn]] void fail() const {
    if (failure_) std::rethrow_exception(failure_);
    const char* text = archive_error_string(reader_.get());
    const std::string why = text == nullptr ? "the compressed data is damaged" : text;
    throw StreamError(why.find("runcated") != std::string::npos, why);
  }

  Source source_;
  std::vector<char> buffer_;
  std::exception_ptr failure_;
  std::unique_ptr<archive, Free> reader_;
  bool begun_ = false;
};

[[noreturn]] void refuse(const std::string& sentence) { throw ExtractError(ExtractErrorKind::not_gzip, "", sentence); }

}  // namespace

TarStream::TarStream(const Source& source, const ExtractOptions& options, unsigned threads)
    : source_(source), stop_source_(options.stop_source) {
  const AcceptedPackings& accepted = options.packings;
  head_.resize(kHead);
  std::size_t size = 0;
  while (size < kHead) {
    const std::size_t got = source_(std::span(head_).subspan(size));
    if (got == 0) break;
    size += got;
  }
  head_.resize(size);
  bytes_in_ = size;
  const std::string_view start(head_.data(), size);
  Source rest = [this](std::span<char> into) { return read(into); };
  const bool only_gzip = accepted.gzip && !accepted.zstd && !accepted.none;
  if (only_gzip || start.starts_with("\x1f\x8b")) {
    if (!accepted.gzip) refuse("tar error: the archive is packed with gzip, which is not accepted here");
    if (const auto problem = gzip_problem(start)) refuse("requires gzip-compressed body: " + *problem);
    decoder_ = std::make_unique<GzipDecoder>(std::move(rest), threads);
  } else if (start.starts_with("\x28\xb5\x2f\xfd")) {
    if (!accepted.zstd) refuse("tar error: the archive is packed with zstd, which is not accepted here");
    decoder_ = std::make_unique<FilterDecoder>(std::move(rest), ARCHIVE_FILTER_ZSTD);
  } else {
    if (!accepted.none) refuse("tar error: the archive is packed with nothing that is accepted here");
    decoder_ = std::make_unique<PlainDecoder>(std::move(rest));
  }
}

TarStream::~TarStream() {
  if (stop_source_) stop_source_();
}

std::span<const char> TarStream::next() {
  const std::span<const char> bytes = decoder_->next();
  bytes_out_ += bytes.size();
  return bytes;
}

std::size_t TarStream::read(std::span<char> into) {
  if (head_given_ < head_.size()) {
    const std::size_t size = std::min(into.size(), head_.size() - head_given_);
    std::copy_n(head_.data() + head_given_, size, into.data());
    head_given_ += size;
    return size;
  }
  const std::size_t size = source_(into);
  bytes_in_ += size;
  return size;
}

}  // namespace tarutil
