// A tar.gz made from a list: headers, and files whose content comes from anywhere.
//
//   FileList list;
//   list.add_header({.name = "src", .mode = S_IFDIR | 0755});
//   list.add_regular({.name = "src/VERSION"}, version.size(), content_of(version));
//   TarGzStream stream = list.tar_gz();
//   for (std::string bytes; stream.next(bytes); bytes.clear()) send(bytes);   // and once more for the last ones
//
// Nothing is read before its turn comes, and no file is in memory as a whole. The archive is as pack.h says; it is
// compressed by pargzip::Writer, whose threads and memory come on top.
//
// Threads: any; one object is used by one thread at a time. A stream does not need the list that made it. Contents are
// called by next(), on its thread; if streams of one list run on several threads, so are they.
#pragma once

#include <pargzip/writer.h>
#include <tarutil/export.h>
#include <tarutil/header.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tarutil {

/// Gives the bytes from `offset` on: at least one, unless the content ends there. What it throws comes out of next().
using Content = std::function<std::size_t(std::uint64_t offset, std::span<char> into)>;

/// A content that is a string already.
TARUTIL_API Content content_of(std::string text);

class TARUTIL_API TarGzStream {
 public:
  TarGzStream(TarGzStream&&) noexcept;
  TarGzStream& operator=(TarGzStream&&) noexcept;
  /// Ends the work wherever it is.
  ~TarGzStream();

  /// Appends the next bytes of the archive to `out`, possibly none, after reading at most some megabytes. False
  /// if the archive is complete. Throws std::runtime_error for a content that is shorter than its size or a header
  /// that no tar can hold, and what contents throw; there is no going on after that.
  bool next(std::string& out);

 private:
  friend class FileList;
  struct Impl;
  explicit TarGzStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class TARUTIL_API FileList {
 public:
  /// An entry without content: a directory, a link, an empty file.
  void add_header(EntryHeader header);
  /// A regular file of `size` bytes. Throws std::invalid_argument if the header says that it is something else.
  void add_regular(EntryHeader header, std::uint64_t size, Content content);

  /// The archive of what the list holds now, from its beginning; as often as wanted. Throws std::invalid_argument for
  /// options out of range.
  TarGzStream tar_gz(const pargzip::WriterOptions& gzip = {}) const;

 private:
  friend struct TarGzStream::Impl;
  struct Item {
    EntryHeader header;
    std::uint64_t size = 0;
    Content content;
  };
  std::vector<std::shared_ptr<const Item>> items_;
};

}  // namespace tarutil
