#include "loquor/text/unicode.hpp"

namespace lq {

Utf8Head classify_utf8(std::string_view bytes) noexcept {
  const CodePoint c = decode_utf8(bytes.data(), bytes.size());
  if (c.length) return {Utf8Head::character, c.length};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned lead = byte(0);
  if (lead < 0xc2 || lead > 0xf4) return {Utf8Head::invalid, 1};
  const std::size_t need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte's range depends on the first (table 3-7); the others are 80..BF.
  const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  std::size_t good = 1;
  while (good < need && good < bytes.size()) {
    const unsigned b = byte(good);
    if (good == 1 ? (b < low || b > high) : (b & 0xc0u) != 0x80u) return {Utf8Head::invalid, good};
    ++good;
  }
  return {Utf8Head::unfinished, good};
}

}  // namespace lq
