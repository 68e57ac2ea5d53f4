// farm.toml. People write it, but a crash is still no answer.
#include <build/config/farm_config.h>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    build::config::parse(std::string(reinterpret_cast<const char*>(data), size), "fuzz", "/");
  } catch (const build::config::ConfigError&) {
  }
  return 0;
}
