// The HTTP/1 codec on any bytes: nothing but HttpError may come out, and what is accepted must be read the same
// however it is cut, and again after it was written.
#include <io/http1.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool same_fields(const io::Fields& a, const io::Fields& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const io::Field& x, const io::Field& y) { return x.name == y.name && x.value == y.value; });
}

void try_heads(std::string_view bytes) {
  try {
    io::HeadScanner whole, piecewise;
    const auto size = whole.scan(bytes);
    std::optional<std::size_t> later;
    for (std::size_t i = 0; i <= bytes.size() && !later; ++i) later = piecewise.scan(bytes.substr(0, i));
    require(size == later);
  } catch (const io::HttpError&) {
  }
  try {
    const io::RequestHead head = io::parse_request_head(bytes);
    const io::RequestHead again = io::parse_request_head(io::serialize(head));
    require(head.method == again.method && head.target == again.target && same_fields(head.fields, again.fields));
    io::framing_of(head);
    io::keeps_alive(head);
    io::parse_query(head.target);
  } catch (const io::HttpError&) {
  }
  try {
    const io::ResponseHead head = io::parse_response_head(bytes);
    const io::ResponseHead again = io::parse_response_head(io::serialize(head));
    require(head.status == again.status && same_fields(head.fields, again.fields));
    io::framing_of(head, "GET");
  } catch (const io::HttpError&) {
  }
}

struct Outcome {
  std::string data;
  bool done = false, refused = false;
  std::size_t used = 0;
};

Outcome decode(std::string_view bytes, std::size_t step) {
  Outcome outcome;
  io::ChunkDecoder decoder({.max_line = 64, .max_trailer_bytes = 256, .max_trailer_fields = 4});
  try {
    while (outcome.used < bytes.size() && !decoder.done()) {
      const auto got = decoder.feed(bytes.substr(outcome.used, step));
      require(got.consumed > 0 && got.data.size() <= got.consumed);
      outcome.used += got.consumed;
      outcome.data += got.data;
    }
    outcome.done = decoder.done();
  } catch (const io::HttpError&) {
    outcome.refused = true;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  try_heads(text);
  const Outcome whole = decode(text, size + 1), byte_by_byte = decode(text, 1);
  require(whole.refused == byte_by_byte.refused && whole.done == byte_by_byte.done);
  if (!whole.refused) require(whole.data == byte_by_byte.data && whole.used == byte_by_byte.used);
  const auto decoded = io::percent_decode(text);
  if (decoded) require(io::percent_decode(io::percent_encode(*decoded)) == *decoded);
  return 0;
}
