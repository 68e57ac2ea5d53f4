// What stands in front of a gzip member, as pargzip's tool reads it: any bytes are a header or none, and a name never
// leads out of its directory.

#include "gzip_header.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const char*>(data), size);
  if (const auto header = pargzip::tool::read_header(bytes)) {
    const std::string& name = header->name;
    if (header->length > size || name.find('/') != name.npos || name == "." || name == "..") std::abort();
    // Less than all of it is no header; what follows does not matter.
    if (header->length > 10 && pargzip::tool::read_header(bytes.first(9))) std::abort();
    const auto again = pargzip::tool::read_header(bytes.first(header->length));
    if (!again || again->length != header->length || again->name != name) std::abort();
  }
  return 0;
}
