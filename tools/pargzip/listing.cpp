#include "listing.h"

#include "messages.h"

#include <cinttypes>
#include <cstdio>

namespace pargzip::tool {

namespace {

constexpr std::uint32_t kNoCheck = 0xffffffff;

}  // namespace

void Listing::add(const std::string& name, const Converted& content, std::optional<std::uint32_t> check,
                  std::time_t time) {
  if (files_++ == 0 && frame_ != Frame::none) {
    if (columns_ == Columns::all) out_ << "method  crc     date  time  ";
    out_ << "         compressed        uncompressed  ratio uncompressed_name\n";
  }
  if (columns_ == Columns::all) {
    char date[32] = "";
    std::tm local{};
    if (::localtime_r(&time, &local) != nullptr) std::strftime(date, sizeof date, "%b %e %H:%M", &local);
    char text[64];
    std::snprintf(text, sizeof text, "defla %08" PRIx32 " %s ", check.value_or(kNoCheck), date);
    out_ << text;
  }
  line(name, content);
  total_.in += content.in;
  total_.out += content.out;
  total_.header += content.header;
}

void Listing::end() {
  if (files_ < 2 || frame_ == Frame::none) return;
  if (columns_ == Columns::all) out_ << std::string(28, ' ');
  line("(totals)", total_);
}

void Listing::line(const std::string& name, const Converted& content) {
  char text[96];
  std::snprintf(text, sizeof text, "%19" PRIu64 " %19" PRIu64 " %5.1f%% ", content.in, content.out,
                saved(content.in, content.out, content.header) * 100);
  out_ << text << printable(name) << "\n";
}

}  // namespace pargzip::tool
