// How far the options of Reader and Writer go.
#pragma once

#include <cstddef>

namespace pargzip {

inline constexpr std::size_t kMaxChunkSize = std::size_t{64} << 20;
inline constexpr int kMaxLevel = 12;
inline constexpr unsigned kMaxThreads = 1024;

/// A member with more bytes of input or output than this is inflated as a stream, by one thread.
inline constexpr std::size_t kMaxParallelMember = std::size_t{8} << 20;

}  // namespace pargzip
