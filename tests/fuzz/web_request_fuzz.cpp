// What a request says about its sender, where a stream goes on, and how a log is cut: never more than is there.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "credentials.h"
#include "event_text.h"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace build::web;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  io::Fields fields;
  fields.add("Authorization", std::string(bytes));
  fields.add("Cookie", std::string(bytes));
  fields.add("Origin", std::string(bytes));
  fields.add("Host", "farm");
  const Presented presented = presented_token(fields);
  must(presented.given && presented.token.size() <= size);
  must(cookie_value(fields, "s").size() <= size);
  if (sender_of(fields) == Sender::own) must(io::iequals(bytes.substr(bytes.find("://") + 3), "farm"));
  if (is_loopback_host(bytes)) must(std::string_view("lL1[").find(bytes.front()) != std::string_view::npos);
  const std::string path = local_path(bytes);
  must(path.starts_with("/") && !path.starts_with("//") && path.find_first_of("\\\r\n \t") == std::string::npos);
  if (const auto position = Position::parse(bytes)) must(Position::parse(position->str()) == position);

  CharacterCutter cutter(7);
  std::string all;
  for (std::size_t at = 0; at < size;) {
    const std::size_t step = 1 + data[at] % 5;
    const CharacterCutter::Piece piece = cutter.put(bytes.substr(at, step));
    must(piece.offset == 7 + all.size());
    all += piece.bytes;
    at += std::min(step, size - at);
    must(cutter.next() == 7 + at);
    must(at - all.size() <= 3);
  }
  all += cutter.finish().bytes;
  must(all == bytes);
  return 0;
}
