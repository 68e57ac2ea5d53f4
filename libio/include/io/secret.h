// Making secrets and comparing them.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace io {

/// The kernel's random bytes, for programs to hand in: nobody can guess them. Throws std::system_error if there are
/// none.
void system_random(std::span<std::byte> into);

/// Takes the same time wherever two texts of one length differ. The length is no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace io
