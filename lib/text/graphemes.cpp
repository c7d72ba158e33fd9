#include "loquor/text/graphemes.hpp"

#include <algorithm>

#include "loquor/text/unicode.hpp"

namespace lq {
namespace {

using G = GraphemeClass;

bool is_break(G c) noexcept { return c == G::control || c == G::carriage_return || c == G::line_feed; }
bool extends(G c) noexcept { return c == G::extend || c == G::extend_only || c == G::linker || c == G::zwj; }

// GB6 to GB8.
bool one_syllable(G a, G b) noexcept {
  if (a == G::hangul_l) return b == G::hangul_l || b == G::hangul_v || b == G::hangul_lv || b == G::hangul_lvt;
  if (a == G::hangul_v || a == G::hangul_lv) return b == G::hangul_v || b == G::hangul_t;
  return (a == G::hangul_t || a == G::hangul_lvt) && b == G::hangul_t;
}

// What the rules that look back further than one character need to know of the cluster so far.
class Cluster {
 public:
  explicit Cluster(G first) : last_(first) { note(first); }

  // Whether `next` belongs to it; then it is added.
  bool take(G next) noexcept {
    if (!joins(next)) return false;
    note(next);
    return true;
  }

 private:
  bool joins(G next) const noexcept {
    if (last_ == G::carriage_return) return next == G::line_feed;
    if (is_break(last_) || is_break(next)) return false;
    if (one_syllable(last_, next) || extends(next) || next == G::spacing_mark || last_ == G::prepend) return true;
    if (next == G::consonant && linked_) return true;                          // GB9c
    if (next == G::pictograph && last_ == G::zwj && before_zwj_) return true;  // GB11
    return next == G::regional && last_ == G::regional && flags_ % 2 == 1;     // GB12, GB13
  }
  void note(G c) noexcept {
    before_zwj_ = c == G::zwj ? pictograph_ : false;
    if (!extends(c)) pictograph_ = c == G::pictograph;
    if (c == G::consonant) {
      consonant_ = true;
      linked_ = false;
    } else if (c == G::linker) {
      linked_ = consonant_;
    } else if (c != G::extend && c != G::zwj) {
      consonant_ = linked_ = false;
    }
    flags_ = c == G::regional ? flags_ + 1 : 0;
    last_ = c;
  }

  G last_;
  bool pictograph_ = false;  // one, then characters that extend it
  bool before_zwj_ = false;  // that, then a ZWJ
  bool consonant_ = false;   // one, then extending characters and linkers
  bool linked_ = false;      // with a linker among them
  std::size_t flags_ = 0;    // regional indicators at the end
};

}  // namespace

GraphemeClass grapheme_class(std::uint32_t code_point) noexcept {
  if (code_point >= 0xac00 && code_point <= 0xd7a3)
    return (code_point - 0xac00) % 28 == 0 ? G::hangul_lv : G::hangul_lvt;
  const auto* end = detail::kGraphemeRanges + detail::kGraphemeRangesCount;
  const auto* it = std::lower_bound(detail::kGraphemeRanges, end, code_point,
                                    [](const detail::GraphemeRange& r, std::uint32_t c) { return r.last < c; });
  return it != end && it->first <= code_point ? it->cls : G::other;
}

std::size_t grapheme_end(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const CodePoint first = decode_utf8(text.data(), text.size());
  if (!first.length) return 1;
  std::size_t at = first.length;
  // Of two ASCII characters only CR and LF join.
  const auto ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (ascii(text[0]) && text[0] != '\r' && (at == text.size() || ascii(text[at]))) return at;
  Cluster cluster(grapheme_class(first.value));
  while (at < text.size()) {
    const CodePoint c = decode_utf8(text.data() + at, text.size() - at);
    if (!c.length || !cluster.take(grapheme_class(c.value))) break;
    at += c.length;
  }
  return at;
}

}  // namespace lq
