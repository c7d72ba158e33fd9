#include "loquor/text/charsmap.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"
#include "loquor/text/graphemes.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {
namespace {

// A unit of the double array of Darts-clone.
bool has_leaf(std::uint32_t unit) noexcept { return unit >> 8 & 1; }
std::uint32_t value_of(std::uint32_t unit) noexcept { return unit & 0x7fffffffu; }
std::uint32_t label_of(std::uint32_t unit) noexcept { return unit & (0x80000000u | 0xffu); }
std::uint32_t offset_of(std::uint32_t unit) noexcept { return (unit >> 10) << ((unit & 0x200u) >> 6); }

std::uint32_t load_le32(std::string_view bytes, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

}  // namespace

Charsmap::Charsmap(std::string_view bytes) {
  if (bytes.empty()) return;
  LQ_CHECK(bytes.size() > 4, Code::bad_file, "tokenizer: precompiled_charsmap has ", bytes.size(), " bytes");
  const std::size_t size = load_le32(bytes, 0);
  LQ_CHECK(size % 4 == 0 && size > 0 && size <= bytes.size() - 4, Code::bad_file,
           "tokenizer: precompiled_charsmap says its trie has ", size, " bytes, of ", bytes.size(), " in all");
  for (std::size_t at = 4; at < 4 + size; at += 4) units_.push_back(load_le32(bytes, at));
  replacements_.assign(bytes.substr(4 + size));
  LQ_CHECK(!replacements_.empty() && replacements_.back() == '\0', Code::bad_file,
           "tokenizer: precompiled_charsmap doesn't end with a zero");
}

// What the text begins with. Offsets that lead out of the array match nothing.
Charsmap::Match Charsmap::match(std::string_view text, bool shortest) const noexcept {
  Match best;
  std::size_t node = offset_of(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label_of(units_[node]) != byte) break;
    const std::uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) break;
    const std::size_t at = value_of(units_[node]);
    if (at >= replacements_.size()) break;
    best = {i + 1, std::string_view(replacements_.c_str() + at)};
    if (shortest) break;
  }
  return best;
}

void Charsmap::append(std::string_view text, std::string& out) const {
  if (empty()) return void(out.append(text));
  while (!text.empty()) {
    const Match m = match(text, false);
    const std::size_t n = m.length ? m.length : std::max<std::size_t>(1, decode_utf8(text.data(), text.size()).length);
    out.append(m.length ? m.to : text.substr(0, n));
    text.remove_prefix(n);
  }
}

void Charsmap::append_graphemes(std::string_view text, std::string& out) const {
  constexpr std::size_t kShort = 6;
  if (empty()) return void(out.append(text));
  while (!text.empty()) {
    std::string_view cluster = text.substr(0, grapheme_end(text));
    text.remove_prefix(cluster.size());
    if (const Match m = cluster.size() < kShort ? match(cluster, true) : Match{}; m.length) {
      out.append(m.to);
      continue;
    }
    while (!cluster.empty()) {
      const std::size_t n = std::max<std::size_t>(1, decode_utf8(cluster.data(), cluster.size()).length);
      const Match m = match(cluster.substr(0, n), true);
      out.append(m.length ? m.to : cluster.substr(0, n));
      cluster.remove_prefix(n);
    }
  }
}

}  // namespace lq
