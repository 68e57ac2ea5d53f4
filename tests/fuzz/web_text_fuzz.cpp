// What comes from outside, on its way into a page: never markup, always valid text.
#include <build/base/utf8.h>
#include <build/web/html.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

/// Takes our own span elements out.
std::string without_spans(std::string html) {
  for (std::size_t at = html.find("<span class=\""); at != std::string::npos; at = html.find("<span class=\"", at))
    html.erase(at, html.find('>', at) + 1 - at);
  for (std::size_t at = html.find("</span>"); at != std::string::npos; at = html.find("</span>", at)) html.erase(at, 7);
  return html;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace build::web;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string shown = readable(bytes);
  must(build::base::valid_utf8(shown) == shown);
  must(readable(shown) == shown);
  const std::string text = Html().text(bytes).str();
  must(text.find_first_of("<>\"'") == std::string::npos);
  Html log;
  write_log(log, bytes);
  const std::string markup = without_spans(log.str());
  must(markup.find_first_of("<>\"'\x1B\r") == std::string::npos);
  must(build::base::valid_utf8(markup) == markup);
  must(first_whole_line(bytes) <= size);
  must(build::base::valid_utf8(clipped(shown, 10)) == clipped(shown, 10));
  return 0;
}
