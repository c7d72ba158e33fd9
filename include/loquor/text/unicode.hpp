// UTF-8 and the character classes pre-tokenizers need. Private to text/ and its tests.
// Thread contract: constant data and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lq {

enum class CharClass : std::uint8_t {
  other = 0,
  letter = 1,        // \p{L}
  number = 2,        // \p{N}
  space = 3,         // \s, the White_Space property
  newer_number = 4,  // \p{N} only since the Unicode version after the regular expression engine's (see the script)
};

namespace detail {
inline constexpr std::size_t kClassBlocks = 1608;     // blocks of 128 code points; everything above is `other`
extern const std::uint8_t kClassIndex[kClassBlocks];  // block of code points -> block of kClassBits
extern const std::uint64_t kClassBits[];              // 16 classes of 4 bits a word, 8 words a block
}  // namespace detail

inline CharClass class_of(std::uint32_t code_point) noexcept {
  const std::uint32_t block = code_point >> 7;
  if (block >= detail::kClassBlocks) return CharClass::other;
  const std::uint64_t word = detail::kClassBits[detail::kClassIndex[block] * 8u + ((code_point >> 4) & 7u)];
  return static_cast<CharClass>((word >> ((code_point & 15u) * 4u)) & 15u);
}

struct CodePoint {
  std::uint32_t value = 0;
  std::uint32_t length = 0;  // bytes; 0 = what is there can't begin a well-formed sequence
};

// The well-formed sequence (Unicode 3.9, table 3-7: no surrogates, no overlong forms) at p; `n` >= 1 bytes are there.
inline CodePoint decode_utf8(const char* p, std::size_t n) noexcept {
  const auto byte = [p](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(p[i])); };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const std::uint32_t b = byte(0);
  if (b < 0x80) return {b, 1};
  if (b < 0xc2) return {};
  if (b < 0xe0) {
    if (n < 2 || !tail(1)) return {};
    return {(b & 0x1fu) << 6 | (byte(1) & 0x3fu), 2};
  }
  if (b < 0xf0) {
    if (n < 3 || !tail(1) || !tail(2)) return {};
    const std::uint32_t c = (b & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
    if (c < 0x800 || (c >= 0xd800 && c < 0xe000)) return {};
    return {c, 3};
  }
  if (b > 0xf4 || n < 4 || !tail(1) || !tail(2) || !tail(3)) return {};
  const std::uint32_t c = (b & 7u) << 18 | (byte(1) & 0x3fu) << 12 | (byte(2) & 0x3fu) << 6 | (byte(3) & 0x3fu);
  if (c < 0x10000 || c > 0x10ffff) return {};
  return {c, 4};
}

// What the bytes at the front of `bytes` (not empty) are: a well-formed character, the beginning of one that more bytes
// could complete, or a maximal subpart that nothing can complete (always at least one byte long).
struct Utf8Head {
  enum Kind { character, unfinished, invalid } kind;
  std::size_t length;
};
Utf8Head classify_utf8(std::string_view bytes) noexcept;

}  // namespace lq
