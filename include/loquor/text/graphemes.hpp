// Grapheme clusters: what a reader takes for one character (Unicode annex 29, extended clusters).
// Private to text/ and its tests. Thread contract: constant data and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lq {

enum class GraphemeClass : std::uint8_t {
  other,
  control,
  carriage_return,
  line_feed,
  extend,
  extend_only,  // extends a cluster, but no conjunct of consonants
  linker,       // of consonants
  consonant,
  zwj,
  prepend,
  spacing_mark,
  pictograph,
  regional,
  hangul_l,
  hangul_v,
  hangul_t,
  hangul_lv,
  hangul_lvt
};

namespace detail {
struct GraphemeRange {
  std::uint32_t first, last;
  GraphemeClass cls;
};
extern const GraphemeRange kGraphemeRanges[];  // ascending; without the Hangul syllables
extern const std::size_t kGraphemeRangesCount;
}  // namespace detail

GraphemeClass grapheme_class(std::uint32_t code_point) noexcept;

// Bytes of the cluster that a text begins with; 0 for an empty one. A byte that is no part of well-formed UTF-8 is a
// cluster of its own.
std::size_t grapheme_end(std::string_view text) noexcept;

}  // namespace lq
