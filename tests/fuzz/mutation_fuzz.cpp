// A mutation's bytes: whatever they are they are refused, or are encoded again into something that says the same.
#include <maintner/mutation.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  try {
    const std::string once = maintner::encode(maintner::decode_mutation(payload));
    const std::string twice = maintner::encode(maintner::decode_mutation(once));
    if (once != twice) std::abort();
  } catch (const maintner::MutationError&) {
  }
  return 0;
}
