// Builder keys: the secret that a worker shows when it registers, derived from one master key and its name.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace build::base {

/// The original's public development master key. Everybody knows it: it is accepted only where somebody
/// asked for it in so many words.
inline constexpr std::string_view kDevMasterKey = "gophers rule";

/// Lower-case hex of HMAC-MD5(master_key, name), 32 characters. `name` is a host type for workers
/// ("host-linux-amd64-localdev") or "user-NAME" for people.
/// Throws std::invalid_argument if `master_key` is empty: an empty key would give a key that anybody can make.
std::string builder_key(std::string_view master_key, std::string_view name);

/// The master key in `file` without the blanks around it. Throws std::runtime_error, naming the file, if it
/// cannot be read, is larger than 64 KiB or holds nothing but blanks.
std::string read_master_key(const std::filesystem::path& file);

/// Equality whose duration depends on the lengths only, never on where two secrets differ. Neither the
/// length nor emptiness is a secret; two empty texts are equal, so check for emptiness first.
bool constant_time_equal(std::string_view left, std::string_view right);

}  // namespace build::base
