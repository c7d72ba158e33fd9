#include "loquor/text/normalizer.hpp"

#include <algorithm>
#include <span>

namespace lq {
namespace {

using detail::CharMapping;

const CharMapping* find_mapping(std::span<const CharMapping> table, std::uint32_t c) noexcept {
  const auto it = std::lower_bound(table.begin(), table.end(), c,
                                   [](const CharMapping& m, std::uint32_t value) { return m.from < value; });
  return it != table.end() && it->from == c ? &*it : nullptr;
}

void append_lower(std::uint32_t c, bool lowercase, std::string& out) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c));
    return;
  }
  const CharMapping* m = lowercase ? find_mapping({detail::kLowercase, detail::kLowercaseCount}, c) : nullptr;
  if (!m) return append_utf8(c, out);
  for (std::size_t i = 0; i < m->count; ++i) append_utf8(detail::kMappedTo[m->at + i], out);
}

}  // namespace

BertClass bert_class(std::uint32_t c) noexcept {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return BertClass::word;
  const std::span<const detail::BertRange> ranges(detail::kBertClasses, detail::kBertClassesCount);
  const auto it = std::lower_bound(ranges.begin(), ranges.end(), c,
                                   [](const detail::BertRange& r, std::uint32_t value) { return r.last < value; });
  return it != ranges.end() && it->first <= c ? static_cast<BertClass>(it->cls) : BertClass::word;
}

void append_utf8(std::uint32_t c, std::string& out) {
  const auto tail = [&](unsigned shift) { out.push_back(static_cast<char>(0x80 | (c >> shift & 0x3f))); };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | c >> 12));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | c >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

void append_normalized(std::uint32_t c, WordRules rules, std::string& out) {
  if (c < 0x80 || !rules.strip_accents) return append_lower(c, rules.lowercase, out);
  if (c >= 0xac00 && c < 0xd7a4) {  // a Hangul syllable (Unicode 3.12)
    const std::uint32_t i = c - 0xac00, tail = i % 28;
    append_utf8(0x1100 + i / 588, out);
    append_utf8(0x1161 + i % 588 / 28, out);
    if (tail) append_utf8(0x11a7 + tail, out);
    return;
  }
  const CharMapping* m = find_mapping({detail::kStripAccents, detail::kStripAccentsCount}, c);
  if (!m) return append_lower(c, rules.lowercase, out);
  for (std::size_t i = 0; i < m->count; ++i) append_lower(detail::kMappedTo[m->at + i], rules.lowercase, out);
}

}  // namespace lq
