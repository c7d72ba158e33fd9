// Splitters: where the next piece of a text ends, exactly as the published regular expressions say, without a regular
// expression engine: every rule is a run of one character class with at most one character before or after it, so one
// pass with no backtracking is enough. A byte that is no part of well-formed UTF-8 counts as one character of class
// `other`, as U+FFFD would. Private to text/ and its tests. Thread contract: pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "loquor/core/config.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {

namespace detail {

extern const CharClass kAsciiClass[128];

struct Char {
  CharClass cls;
  std::uint32_t length;
};

// The eight bytes at p, the first in the lowest bits.
inline std::uint64_t load_le64(const char* p) noexcept {
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}

LQ_NOINLINE Char next_char_slow(const char* p, const char* end) noexcept;

// The character at p < end.
LQ_ALWAYS_INLINE Char next_char(const char* p, const char* end) noexcept {
  const unsigned char b = static_cast<unsigned char>(*p);
  if (LQ_LIKELY(b < 0x80)) return {kAsciiClass[b], 1};
  return next_char_slow(p, end);
}

template <class Pred>
LQ_ALWAYS_INLINE const char* skip_while(const char* p, const char* end, Pred pred) noexcept {
  while (p < end) {
    const Char c = next_char(p, end);
    if (!pred(c.cls)) break;
    p += c.length;
  }
  return p;
}

inline bool is_letter(CharClass c) noexcept { return c == CharClass::letter; }

// skip_while(is_letter), eight ASCII letters at a time: words are short and of random length, so a loop over their
// characters would mispredict its end at almost every word.
LQ_ALWAYS_INLINE const char* skip_letters(const char* p, const char* end) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kHigh = 0x80 * kOnes;
  while (LQ_LIKELY(end - p >= 8)) {
    const std::uint64_t bytes = load_le64(p);
    // With the high bit set beforehand, no byte borrows from its neighbour: the difference keeps that bit exactly where
    // the low seven bits reach the bound.
    const std::uint64_t lower = bytes | 0x20 * kOnes | kHigh;
    const std::uint64_t letters = (lower - 'a' * kOnes) & ~(lower - ('z' + 1) * kOnes) & ~bytes & kHigh;
    if (const std::uint64_t stop = letters ^ kHigh) {
      p += std::countr_zero(stop) >> 3;
      if (LQ_LIKELY(static_cast<unsigned char>(*p) < 0x80)) return p;
      break;
    }
    p += 8;
  }
  return skip_while(p, end, is_letter);
}

inline bool is_number(CharClass c) noexcept { return c == CharClass::number; }
// [^\s\p{L}\p{N}] of the regular expressions, whose engine doesn't know the newer numbers.
inline bool is_other(CharClass c) noexcept { return c == CharClass::other || c == CharClass::newer_number; }

// Length of a contraction ('s 't 're 've 'm 'll 'd) at p, where *p is an apostrophe; 0 if there is none. With
// `any_case`, U+017F (long s) also counts: it folds to s.
std::size_t contraction(const char* p, const char* end, bool any_case) noexcept;

// The run of white space that begins at p, as the rules look at it.
struct SpaceRun {
  const char* end;          // of the run
  const char* last;         // its last character
  const char* newline_end;  // after its last \r or \n; nullptr if it has none
};
SpaceRun space_run(const char* p, const char* end) noexcept;

}  // namespace detail

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (GPT-2, encoder.py). With kDigits, every number is first cut out as a piece of its own, and the expression sees only
// what lies between: white space before a number is then at the end of its text.
template <bool kDigits>
struct Gpt2Rules {
  static bool is_cut(CharClass c) noexcept { return c == CharClass::number || c == CharClass::newer_number; }
  static bool in_other(CharClass c) noexcept { return kDigits ? c == CharClass::other : detail::is_other(c); }

  // The end of the piece that begins at p < end.
  static LQ_ALWAYS_INLINE const char* next(const char* p, const char* end) noexcept {
    const char* q = p + (*p == ' ');
    if (LQ_UNLIKELY(q == end)) return q;
    const detail::Char c = detail::next_char(q, end);
    if (LQ_LIKELY(c.cls == CharClass::letter)) return detail::skip_letters(q + c.length, end);
    if (c.cls == CharClass::space) return whitespace(p, end);
    if (kDigits && is_cut(c.cls)) return q == p ? q + c.length : q;
    if (c.cls == CharClass::number) return detail::skip_while(q + c.length, end, detail::is_number);
    if (*p == '\'') {
      if (const std::size_t n = detail::contraction(p, end, false)) return p + n;
    }
    return detail::skip_while(q + c.length, end, in_other);
  }

 private:
  static const char* whitespace(const char* p, const char* end) noexcept {
    const detail::SpaceRun run = detail::space_run(p, end);
    if (run.end == end || run.last == p) return run.end;
    if (kDigits && is_cut(detail::next_char(run.end, end).cls)) return run.end;
    return run.last;
  }
};
using Gpt2Splitter = Gpt2Rules<false>;
using Gpt2DigitsSplitter = Gpt2Rules<true>;

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,kMaxDigits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+
// |\s+(?!\S)|\s+   (tokenizer.json of Llama 3 with 3 digits, of Qwen2 with 1)
template <int kMaxDigits>
struct Cl100kRules {
  static LQ_ALWAYS_INLINE const char* next(const char* p, const char* end) noexcept {
    const detail::Char c = detail::next_char(p, end);
    const char* q = p + c.length;
    if (c.cls == CharClass::letter) return detail::skip_letters(q, end);
    if (c.cls == CharClass::number) return digits(q, end);
    if (LQ_UNLIKELY(*p == '\'')) {
      if (const std::size_t n = detail::contraction(p, end, true)) return p + n;
    }
    if (LQ_LIKELY(q < end && *p != '\r' && *p != '\n')) {
      const detail::Char d = detail::next_char(q, end);
      if (LQ_LIKELY(d.cls == CharClass::letter)) return detail::skip_letters(q + d.length, end);
      if (*p == ' ' && detail::is_other(d.cls)) return others(q + d.length, end);
    }
    return c.cls == CharClass::space ? whitespace(p, end) : others(q, end);
  }

 private:
  static const char* digits(const char* q, const char* end) noexcept {
    for (int i = 1; i < kMaxDigits && q < end; ++i) {
      const detail::Char d = detail::next_char(q, end);
      if (d.cls != CharClass::number) break;
      q += d.length;
    }
    return q;
  }
  static const char* others(const char* q, const char* end) noexcept {
    q = detail::skip_while(q, end, detail::is_other);
    while (q < end && (*q == '\r' || *q == '\n')) ++q;
    return q;
  }
  static const char* whitespace(const char* p, const char* end) noexcept {
    const detail::SpaceRun run = detail::space_run(p, end);
    if (run.newline_end) return run.newline_end;
    return run.end == end || run.last == p ? run.end : run.last;
  }
};
using Llama3Splitter = Cl100kRules<3>;
using Qwen2Splitter = Cl100kRules<1>;

}  // namespace lq
