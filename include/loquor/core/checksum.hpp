// A 64-bit checksum for files of our own. Not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lq {

// Every step is a bijection of the state for fixed later input, so two inputs of one length that differ in a single
// 8-byte word never collide: any single-bit (or single-word) change is found with certainty, others but for 2^-64.
inline std::uint64_t checksum(const void* data, std::size_t n) noexcept {
  const auto* p = static_cast<const unsigned char*>(data);
  std::uint64_t h = 0x9e3779b97f4a7c15u ^ n;
  const auto mix = [&h](std::uint64_t word) noexcept {
    h = (h ^ word) * 0xd6e8feb86659fd93u;
    h ^= h >> 32;
  };
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, p + i, 8);
    mix(word);
  }
  std::uint64_t rest = 0;
  if (i < n) std::memcpy(&rest, p + i, n - i);
  mix(rest);
  mix(n);
  return h;
}

}  // namespace lq
