#include "byte_nfa.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

struct DigitRange {
  std::uint32_t first, last;
};
using DigitRanges = std::array<DigitRange, 4>;

// Calls fn(ranges) for products of digit ranges (most significant first, n of them, `bits` bits each) that together are
// the numbers [first, last].
template <class Fn>
void split_digits(std::uint32_t first, std::uint32_t last, int n, int bits, DigitRanges& ranges, int at, const Fn& fn) {
  const int low = (n - 1 - at) * bits;
  const std::uint32_t mask = (std::uint32_t{1} << low) - 1, all = (std::uint32_t{1} << bits) - 1;
  std::uint32_t a = first >> low, b = last >> low;
  const auto with = [&](std::uint32_t d0, std::uint32_t d1, std::uint32_t f, std::uint32_t l) {
    ranges[static_cast<std::size_t>(at)] = {d0 & all, d1 & all};
    if (at + 1 == n)
      fn(ranges);
    else
      split_digits(f, l, n, bits, ranges, at + 1, fn);
  };
  if (a == b) return with(a, a, first & mask, last & mask);
  if ((first & mask) != 0) with(a, a, first & mask, mask), ++a;
  const bool cut = (last & mask) != mask;
  if (cut) --b;
  if (a <= b) with(a, b, 0, mask);
  if (cut) with(b + 1, b + 1, 0, last & mask);
}

}  // namespace

std::uint32_t ByteNfa::add_state() {
  LQ_CHECK(states.size() < kMaxStates, Code::limit, "grammar: a rule needs more than ", kMaxStates, " states");
  states.emplace_back();
  return static_cast<std::uint32_t>(states.size() - 1);
}

void ByteNfa::add_utf8(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to) {
  // Lengths, and the gap of the surrogates.
  constexpr std::uint32_t kParts[][3] = {
      {0, 0x7f, 1}, {0x80, 0x7ff, 2}, {0x800, 0xd7ff, 3}, {0xe000, 0xffff, 3}, {0x10000, kLastCodePoint, 4}};
  constexpr std::uint32_t kLead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (const auto& [low, high, n] : kParts) {
    const std::uint32_t a = std::max(first, low), b = std::min(last, high);
    if (a > b) continue;
    if (n == 1) {
      add_byte(from, static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b), to);
      continue;
    }
    DigitRanges ranges{};
    split_digits(a, b, static_cast<int>(n), 6, ranges, 0, [&](const DigitRanges& r) {
      std::uint32_t at = from;
      for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint32_t mark = i == 0 ? kLead[n] : 0x80;
        const std::uint32_t next = i + 1 == n ? to : add_state();
        add_byte(at, static_cast<std::uint8_t>(mark | r[i].first), static_cast<std::uint8_t>(mark | r[i].last), next);
        at = next;
      }
    });
  }
}

// [first, last] as four hexadecimal digits of either case.
void ByteNfa::add_hex(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to) {
  DigitRanges ranges{};
  split_digits(first, last, 4, 4, ranges, 0, [&](const DigitRanges& r) {
    std::uint32_t at = from;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint32_t next = i == 3 ? to : add_state();
      const std::uint32_t a = r[i].first, b = r[i].last;
      if (a < 10)
        add_byte(at, static_cast<std::uint8_t>('0' + a), static_cast<std::uint8_t>('0' + std::min(b, 9u)), next);
      if (b >= 10)
        for (char base : {'a', 'A'})
          add_byte(at, static_cast<std::uint8_t>(base + static_cast<int>(std::max(a, 10u)) - 10),
                   static_cast<std::uint8_t>(base + static_cast<int>(b) - 10), next);
      at = next;
    }
  });
}

// What follows the backslash.
void ByteNfa::add_escape(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to) {
  constexpr std::string_view kShort = "\"\\bfnrt", kMeans = "\"\\\b\f\n\r\t";
  for (std::size_t i = 0; i < kShort.size(); ++i) {
    const auto c = static_cast<unsigned char>(kMeans[i]);
    if (c >= first && c <= last)
      add_byte(from, static_cast<std::uint8_t>(kShort[i]), static_cast<std::uint8_t>(kShort[i]), to);
  }
  const std::uint32_t u = add_state();
  add_byte(from, 'u', 'u', u);
  const auto simple = [&](std::uint32_t low, std::uint32_t high) {
    const std::uint32_t a = std::max(first, low), b = std::min(last, high);
    if (a <= b) add_hex(u, a, b, to);
  };
  simple(0, 0xd7ff);
  simple(0xe000, 0xffff);
  if (last < 0x10000) return;
  // Surrogate pairs: ten bits each. The first and the last high surrogate may allow only some low ones.
  const std::uint32_t a = std::max(first, 0x10000u) - 0x10000, b = last - 0x10000;
  const auto pair = [&](std::uint32_t h0, std::uint32_t h1, std::uint32_t l0, std::uint32_t l1) {
    if (h0 > h1) return;
    const std::uint32_t high = add_state(), backslash = add_state(), low = add_state();
    add_hex(u, 0xd800 + h0, 0xd800 + h1, high);
    add_byte(high, '\\', '\\', backslash);
    add_byte(backslash, 'u', 'u', low);
    add_hex(low, 0xdc00 + l0, 0xdc00 + l1, to);
  };
  const std::uint32_t ha = a >> 10, hb = b >> 10, la = a & 0x3ff, lb = b & 0x3ff;
  if (ha == hb) return pair(ha, ha, la, lb);
  pair(ha, ha, la, 0x3ff);
  if (ha + 1 < hb) pair(ha + 1, hb - 1, 0, 0x3ff);
  pair(hb, hb, 0, lb);
}

void ByteNfa::add_json(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to) {
  static const CharSet kNotRaw = [] {
    CharSet set(0, 0x1f);
    set.add('"', '"');
    set.add('\\', '\\');
    return set;
  }();
  const CharSet raw = CharSet(first, last).minus(kNotRaw);
  for (const CharSet::Range& r : raw.ranges()) add_utf8(from, r.first, r.last, to);
  // Nobody escapes what needs none, but for characters outside ASCII.
  CharSet escaped = kNotRaw;
  escaped.add(0x7f, kLastCodePoint);
  const CharSet some = CharSet(first, last).intersect(escaped);
  if (some.empty()) return;
  const std::uint32_t backslash = add_state();
  add_byte(from, '\\', '\\', backslash);
  for (const CharSet::Range& r : some.ranges()) add_escape(backslash, r.first, r.last, to);
}

void ByteNfa::add_machine(const Dfa& dfa, bool json, std::uint32_t from, std::uint32_t to) {
  std::vector<std::uint32_t> names;
  for (std::size_t s = 0; s < dfa.states.size(); ++s) names.push_back(add_state());
  if (!dfa.empty()) add_empty(from, names[0]);
  for (std::size_t s = 0; s < dfa.states.size(); ++s) {
    for (const Dfa::Edge& e : dfa.states[s].edges)
      json ? add_json(names[s], e.first, e.last, names[e.to]) : add_utf8(names[s], e.first, e.last, names[e.to]);
    if (dfa.states[s].accepts) add_empty(names[s], to);
  }
}

}  // namespace lq
