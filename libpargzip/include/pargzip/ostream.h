// Writer behind a std::ostream: what is put into it comes out as gzip.
#pragma once

#include <pargzip/writer.h>

#include <ostream>
#include <streambuf>

namespace pargzip {

/// Sends what it gets to a Writer. Threads, memory and options as Writer's.
class OutputBuffer : public std::streambuf {
 public:
  explicit OutputBuffer(Sink sink, const WriterOptions& options = {}) : writer_(std::move(sink), options) {}

  /// As Writer::finish(); nothing can be put into it after that.
  void finish() { writer_.finish(); }

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char byte = traits_type::to_char_type(c);
    writer_.write({&byte, 1});
    return c;
  }
  std::streamsize xsputn(const char* bytes, std::streamsize count) override {
    writer_.write({bytes, static_cast<std::size_t>(count)});
    return count;
  }

 private:
  Writer writer_;
};

/// Writes gzip to another stream, which has to outlive it. Without finish() the file has no valid end. A failure of the
/// other stream sets badbit here, as does everything else that Writer throws (or comes out, if exceptions() says so).
class OutputStream : public std::ostream {
 public:
  explicit OutputStream(std::ostream& file, const WriterOptions& options = {})
      : std::ostream(nullptr),
        buffer_(
            [&file](std::span<const char> bytes) {
              if (!file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
                throw std::ios_base::failure("cannot write the gzip file");
              }
            },
            options) {
    rdbuf(&buffer_);
  }

  /// Writes what is left. Throws as Writer::finish() does.
  void finish() { buffer_.finish(); }

 private:
  OutputBuffer buffer_;
};

}  // namespace pargzip
