// A log's bytes: what is read is each byte once, in order, up to the place where it stops making sense; and that can be
// written again.
#include <maintner/reclog.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool right) {
  if (!right) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view log(reinterpret_cast<const char*>(data), size);
  maintner::RecordReader reader(log);
  std::string seen, again;
  try {
    while (const auto record = reader.next()) {
      require(record->offset == seen.size());
      require(record->header.size() <= maintner::kMaxHeader);
      seen.append(record->header).append(record->payload);
      again += maintner::framed(again.size(), record->payload);
    }
    require(seen == log);
  } catch (const maintner::RecordError& error) {
    require(error.offset() == seen.size());
    require(log.starts_with(seen) && seen.size() < log.size());
  }
  maintner::RecordReader second(again);
  while (second.next()) {
  }
  require(second.offset() == again.size());
  return 0;
}
