#include <tarutil/file_list.h>

#include <algorithm>
#include <stdexcept>

#include "tar_writer.h"

namespace tarutil {

struct TarGzStream::Impl {
  Impl(std::vector<std::shared_ptr<const FileList::Item>> all, const pargzip::WriterOptions& gzip)
      : items(std::move(all)), writer("packing a list of files", gzip) {}

  // One header or one piece of a file; how many bytes were read.
  std::size_t step() {
    if (at < size) return copy_piece();
    if (next == items.size()) {
      writer.finish();
      done = true;
      return 0;
    }
    item = items[next++].get();
    size = item->size;
    at = 0;
    writer.begin(item->header, size);
    return 0;
  }

  std::size_t copy_piece() {
    const std::span<char> into = std::span(piece).first(std::min<std::uint64_t>(piece.size(), size - at));
    const std::size_t got = item->content(at, into);
    if (got == 0 || got > into.size()) {
      throw std::runtime_error("packing " + item->header.name + ": its content ends after " + std::to_string(at) +
                               " of " + std::to_string(size) + " bytes");
    }
    writer.content(into.first(got));
    at += got;
    return got;
  }

  std::vector<std::shared_ptr<const FileList::Item>> items;
  TarWriter writer;
  std::vector<char> piece = std::vector<char>(kPieceSize);
  std::size_t next = 0;
  const FileList::Item* item = nullptr;  // being packed
  std::uint64_t size = 0, at = 0;        // of it, and how much is done
  bool done = false;
};

TarGzStream::TarGzStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TarGzStream::TarGzStream(TarGzStream&&) noexcept = default;
TarGzStream& TarGzStream::operator=(TarGzStream&&) noexcept = default;
TarGzStream::~TarGzStream() = default;

bool TarGzStream::next(std::string& out) {
  return impl_->writer.next(out, impl_->done, [this] { return impl_->step(); });
}

Content content_of(std::string text) {
  return [text = std::move(text)](std::uint64_t offset, std::span<char> into) {
    if (offset >= text.size()) return std::size_t{0};
    return text.copy(into.data(), into.size(), static_cast<std::size_t>(offset));
  };
}

void FileList::add_header(EntryHeader header) {
  items_.push_back(std::make_shared<const Item>(Item{std::move(header), 0, nullptr}));
}

void FileList::add_regular(EntryHeader header, std::uint64_t size, Content content) {
  if (!S_ISREG(header.mode) || !header.hard_link_target.empty()) {
    throw std::invalid_argument("an archive's entry " + header.name + " has a content, but is no regular file");
  }
  items_.push_back(std::make_shared<const Item>(Item{std::move(header), size, std::move(content)}));
}

TarGzStream FileList::tar_gz(const pargzip::WriterOptions& gzip) const {
  return TarGzStream(std::make_unique<TarGzStream::Impl>(items_, gzip));
}

}  // namespace tarutil
