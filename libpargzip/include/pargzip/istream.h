// Reader behind a std::istream: what is taken from it is the content of a gzip file.
#pragma once

#include <pargzip/reader.h>

#include <istream>
#include <streambuf>

namespace pargzip {

/// Gives what a Reader gives, without a copy. Threads, memory and options as Reader's; it cannot seek or put back.
class InputBuffer : public std::streambuf {
 public:
  explicit InputBuffer(Source source, const ReaderOptions& options = {}) : reader_(std::move(source), options) {}

  const Reader& reader() const { return reader_; }

 protected:
  int_type underflow() override {
    const std::span<const char> bytes = reader_.next();
    if (bytes.empty()) return traits_type::eof();
    // A streambuf has no read-only form; nothing here writes to it.
    char* const begin = const_cast<char*>(bytes.data());
    setg(begin, begin, begin + bytes.size());
    return traits_type::to_int_type(*begin);
  }
  // What would be put back would be written into the Reader's memory.
  int_type pbackfail(int_type) override { return traits_type::eof(); }

 private:
  Reader reader_;
};

/// Reads gzip from another stream, which has to outlive it and is read by nobody else (on a thread of the Reader's, if
/// there is more than one). A damaged file sets badbit (or throws ReadError, if exceptions() says so: then it says what
/// and where).
class InputStream : public std::istream {
 public:
  explicit InputStream(std::istream& file, const ReaderOptions& options = {})
      : std::istream(nullptr),
        buffer_(
            [&file](std::span<char> into) {
              file.read(into.data(), static_cast<std::streamsize>(into.size()));
              if (file.bad()) throw std::ios_base::failure("cannot read the gzip file");
              return static_cast<std::size_t>(file.gcount());
            },
            options) {
    rdbuf(&buffer_);
  }

 private:
  InputBuffer buffer_;
};

}  // namespace pargzip
