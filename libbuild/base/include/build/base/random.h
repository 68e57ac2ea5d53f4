// Randomness as an object that is handed in: the kernel's in programs, a repeatable one in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace build::base {

/// Threads: implementations say whether they may be shared.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  /// Fills all of `into`.
  virtual void fill(std::span<std::byte> into) = 0;

  /// 64 random bits.
  std::uint64_t next();
  /// A number in [0, bound), each as likely as the other; 0 if `bound` is 0.
  std::uint64_t below(std::uint64_t bound);
};

/// The kernel's generator (getrandom), fit for keys and ids. May be shared by threads.
class SystemRandom final : public RandomSource {
 public:
  /// Throws std::system_error if the kernel gives nothing.
  void fill(std::span<std::byte> into) override;
};

/// The same numbers for the same seed (SplitMix64), for tests and simulations; never for secrets. One thread.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> into) override;

 private:
  std::uint64_t state_;
};

}  // namespace build::base
