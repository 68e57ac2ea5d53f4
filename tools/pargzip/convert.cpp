#include "convert.h"

#include "gzip_header.h"
#include "names.h"

#include <pargzip/reader.h>
#include <pargzip/writer.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace pargzip::tool {

namespace {

constexpr std::size_t kPiece = 256 << 10, kTrailer = 8;
// Compressed bytes that are not worth starting threads for.
constexpr std::uint64_t kSmall = 128 << 10;

/// How many threads: one for little work.
unsigned threads_for(const Input& input, std::uint64_t little, const Options& options) {
  const auto size = input.size();
  return size && *size <= little ? 1 : options.threads;
}

std::uint32_t time_to_store(const Input& input) {
  const auto seconds = input.status().st_mtime;
  const bool fits = input.size() && seconds > 0 && seconds <= std::numeric_limits<std::uint32_t>::max();
  return fits ? static_cast<std::uint32_t>(seconds) : 0;
}

}  // namespace

double saved(std::uint64_t compressed, std::uint64_t uncompressed, std::size_t header) {
  if (uncompressed == 0) return 0;
  const auto content = static_cast<double>(compressed) - static_cast<double>(header);
  return (static_cast<double>(uncompressed) - content) / static_cast<double>(uncompressed);
}

Converted compress(Input& input, const Write& write, const Options& options, Progress& progress) {
  Converted done;
  const auto sink = [&](std::span<const char> bytes) {
    if (done.header == 0) {
      const auto header = read_header(bytes);
      done.header = header ? header->length + kTrailer : 0;
    }
    done.out += bytes.size();
    write(bytes);
  };
  if (options.name && !input.is_standard()) sink(naming_member(place_of(input.name()).leaf, time_to_store(input)));
  Writer writer(sink, {.level = options.level,
                       .chunk_size = options.chunk_size,
                       .threads = threads_for(input, options.chunk_size, options)});
  std::vector<char> piece(kPiece);
  while (const std::size_t count = input.read(piece)) {
    writer.write(std::span(piece).first(count));
    progress.update(input.taken(), done.out);
  }
  writer.finish();
  done.in = input.taken();
  return done;
}

Converted decompress(Input& input, const Write& write, const Options& options, Progress& progress) {
  Converted done;
  if (const auto header = read_header(input.peek())) done.header = header->length + kTrailer;
  Reader reader([&input](std::span<char> into) { return input.read(into); },
                {.threads = threads_for(input, kSmall, options)});
  try {
    for (std::span<const char> piece = reader.next(); !piece.empty(); piece = reader.next()) {
      write(piece);
      progress.update(input.taken(), reader.bytes_out());
    }
  } catch (const ReadError& error) {
    if (error.kind() != ReadErrorKind::trailing_garbage) throw;
    done.trailing_garbage = true;
  }
  done.in = reader.bytes_in();
  done.out = reader.bytes_out();
  return done;
}

Converted copy(Input& input, const Write& write, Progress& progress) {
  Converted done;
  std::vector<char> piece(kPiece);
  while (const std::size_t count = input.read(piece)) {
    write(std::span(piece).first(count));
    done.out = input.taken();
    progress.update(done.out, done.out);
  }
  done.in = done.out;
  return done;
}

}  // namespace pargzip::tool
