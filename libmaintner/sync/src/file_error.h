// What the kernel said, as an exception that names the file.
#pragma once

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

namespace maintner {

[[noreturn]] inline void fail(const char* what, const std::filesystem::path& file) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " " + file.string());
}

}  // namespace maintner
