// Writer and Reader for Boost.Iostreams: a sink, a source, and filters for both directions. The library itself needs no
// Boost; who includes this links Boost.Iostreams himself.
//
// They are copied by Boost, as it wants; copies share one Writer or Reader. Threads, memory and errors are those of
// writer.h and reader.h; what is thrown comes out of the stream as Boost lets it.
#pragma once

#include <pargzip/reader.h>
#include <pargzip/writer.h>

#include <boost/iostreams/categories.hpp>
#include <boost/iostreams/operations.hpp>

#include <memory>

namespace pargzip::boost_iostreams {

/// What is written to it goes as gzip to `to`; close() finishes.
class GzipSink {
 public:
  using char_type = char;
  struct category : boost::iostreams::sink_tag, boost::iostreams::closable_tag {};

  explicit GzipSink(Sink to, const WriterOptions& options = {})
      : writer_(std::make_shared<Writer>(std::move(to), options)) {}

  std::streamsize write(const char* bytes, std::streamsize count) {
    writer_->write({bytes, static_cast<std::size_t>(count)});
    return count;
  }
  void close() { writer_->finish(); }

 private:
  std::shared_ptr<Writer> writer_;
};

/// Gives the content of the gzip file that `from` gives.
class GzipSource {
 public:
  using char_type = char;
  using category = boost::iostreams::source_tag;

  explicit GzipSource(Source from, const ReaderOptions& options = {})
      : reader_(std::make_shared<Reader>(std::move(from), options)) {}

  std::streamsize read(char* into, std::streamsize count) {
    const std::size_t size = reader_->read({into, static_cast<std::size_t>(count)});
    return size == 0 ? -1 : static_cast<std::streamsize>(size);
  }

 private:
  std::shared_ptr<Reader> reader_;
};

/// A filter for output: gzip comes out below.
class GzipCompressor {
 public:
  using char_type = char;
  struct category : boost::iostreams::output,
                    boost::iostreams::filter_tag,
                    boost::iostreams::multichar_tag,
                    boost::iostreams::closable_tag {};

  explicit GzipCompressor(const WriterOptions& options = {}) : state_(std::make_shared<State>(options)) {}

  template <class Device>
  std::streamsize write(Device& below, const char* bytes, std::streamsize count) {
    state_->use(below);
    state_->writer.write({bytes, static_cast<std::size_t>(count)});
    return count;
  }
  template <class Device>
  void close(Device& below) {
    state_->use(below);
    state_->writer.finish();
  }

 private:
  struct State {
    explicit State(const WriterOptions& options)
        : writer([this](std::span<const char> bytes) { put(bytes); }, options) {}
    /// The device may be another object in each call; the Writer calls its sink during these calls only.
    template <class Device>
    void use(Device& below) {
      put = [&below](std::span<const char> bytes) {
        for (std::size_t done = 0; done < bytes.size();) {
          done += static_cast<std::size_t>(
              boost::iostreams::write(below, bytes.data() + done, static_cast<std::streamsize>(bytes.size() - done)));
        }
      };
    }
    Sink put;
    Writer writer;
  };
  std::shared_ptr<State> state_;
};

/// A filter for input: what is below is gzip. It uses one thread, since Boost's devices may be asked only during a
/// call.
class GzipDecompressor {
 public:
  using char_type = char;
  struct category : boost::iostreams::input, boost::iostreams::filter_tag, boost::iostreams::multichar_tag {};

  explicit GzipDecompressor(const ReaderOptions& options = {}) : state_(std::make_shared<State>(options)) {}

  template <class Device>
  std::streamsize read(Device& below, char* into, std::streamsize count) {
    state_->get = [&below](std::span<char> room) {
      const auto size = boost::iostreams::read(below, room.data(), static_cast<std::streamsize>(room.size()));
      return size < 0 ? std::size_t{0} : static_cast<std::size_t>(size);
    };
    const std::size_t size = state_->reader.read({into, static_cast<std::size_t>(count)});
    return size == 0 ? -1 : static_cast<std::streamsize>(size);
  }

 private:
  struct State {
    explicit State(const ReaderOptions& options)
        : reader([this](std::span<char> into) { return get(into); }, {.threads = 1, .max_output = options.max_output}) {
    }
    Source get;
    Reader reader;
  };
  std::shared_ptr<State> state_;
};

}  // namespace pargzip::boost_iostreams
