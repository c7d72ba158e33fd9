// A 16-byte key of a short byte string: the string itself up to 15 bytes, two hashes beyond. Comparing, hashing and
// storing words this way needs no pointer and no length loop. Private to text/. Thread contract: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "loquor/core/config.hpp"

namespace lq {

namespace detail {
inline constexpr unsigned char kMaskWindow[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
}

struct WordKey {
  static constexpr std::size_t kExact = 15;  // longest string that the key holds whole

  static constexpr std::size_t kReadable = 16;  // bytes that load() reads

  std::uint64_t lo = 0;
  std::uint64_t hi = 0;  // top byte: the length, or 0xff for a longer string

  bool operator==(const WordKey&) const noexcept = default;
  bool is_exact() const noexcept { return (hi >> 56) != 0xff; }

  std::uint64_t hash() const noexcept { return fold(lo ^ 0x9e3779b97f4a7c15u, hi ^ 0xd6e8feb86659fd93u); }

  static WordKey of(std::string_view bytes) noexcept {
    if (bytes.size() > kExact) return of_long(bytes);
    WordKey key;
    std::memcpy(&key, bytes.data(), bytes.size());
    key.hi |= static_cast<std::uint64_t>(bytes.size()) << 56;
    return key;
  }
  // The same where kReadable bytes can be read at `p` whatever n.
  static WordKey of_readable(const char* p, std::size_t n) noexcept {
    return n <= kExact ? load(p, n) : of_long({p, n});
  }
  // And for n <= kExact alone.
  static LQ_ALWAYS_INLINE WordKey load(const char* p, std::size_t n) noexcept {
    WordKey key;
    std::memcpy(&key, p, 16);
    // The 16 bytes that begin 16 - n bytes into the window are n times 0xff, then zeros.
    WordKey mask;
    std::memcpy(&mask, detail::kMaskWindow + 16 - n, 16);
    key.lo &= mask.lo;
    key.hi = (key.hi & mask.hi) | static_cast<std::uint64_t>(n) << 56;
    return key;
  }

 private:
  // The 128-bit product of two numbers, folded: every input bit reaches every output bit (the wyhash mixing step).
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ typedef unsigned __int128 Wide;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  static WordKey of_long(std::string_view bytes) noexcept;  // vocab.cpp
};
static_assert(sizeof(WordKey) == 16);

}  // namespace lq
