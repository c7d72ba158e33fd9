// What texts from outside must be before they are kept.
#pragma once

#include <cstddef>
#include <string_view>

#include "loquor/text/unicode.hpp"

namespace lq {

inline bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The first byte that is no UTF-8; the size if all is.
inline std::size_t first_not_utf8(std::string_view s) noexcept {
  for (std::size_t i = 0; i < s.size();) {
    const CodePoint c = decode_utf8(s.data() + i, s.size() - i);
    if (c.length == 0) return i;
    i += c.length;
  }
  return s.size();
}

}  // namespace lq
