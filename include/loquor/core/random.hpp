// Counter-based random numbers: the n-th draw is a function of (seed, stream, n) alone, so results do not depend on
// thread count or on what else was drawn. Mixing function: SplitMix64 finaliser (Steele, Lea, Flood 2014), applied twice.
#pragma once

#include <cstdint>

namespace lq {

class Random {
 public:
  explicit Random(std::uint64_t seed = 0, std::uint64_t stream = 0) noexcept
      : key_(mix(seed + 0x9e3779b97f4a7c15u) ^ mix(stream * 0xd1342543de82ef95u + 1)) {}

  std::uint64_t at(std::uint64_t n) const noexcept { return mix(mix(n + key_) ^ key_); }
  std::uint64_t next() noexcept { return at(counter_++); }
  // Uniform in [0, 1) with 53 random bits.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

  std::uint64_t counter() const noexcept { return counter_; }
  void set_counter(std::uint64_t n) noexcept { counter_ = n; }

 private:
  static std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace lq
