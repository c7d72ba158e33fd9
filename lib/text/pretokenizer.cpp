#include "loquor/text/pretokenizer.hpp"

namespace lq::detail {

namespace {
constexpr CharClass O = CharClass::other, L = CharClass::letter, N = CharClass::number, S = CharClass::space;
}  // namespace

// clang-format off
const CharClass kAsciiClass[128] = {
    O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O,
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
};
// clang-format on

Char next_char_slow(const char* p, const char* end) noexcept {
  const CodePoint c = decode_utf8(p, static_cast<std::size_t>(end - p));
  if (LQ_UNLIKELY(c.length == 0)) return {CharClass::other, 1};
  return {class_of(c.value), c.length};
}

std::size_t contraction(const char* p, const char* end, bool any_case) noexcept {
  const std::ptrdiff_t n = end - p;
  if (n < 2) return 0;
  const auto fold = [any_case](char c) { return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const char a = fold(p[1]);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (n < 3) return 0;
  const char b = fold(p[2]);
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  return any_case && p[1] == '\xc5' && p[2] == '\xbf' ? 3 : 0;
}

SpaceRun space_run(const char* p, const char* end) noexcept {
  SpaceRun run{p, p, nullptr};
  while (run.end < end) {
    const Char c = next_char(run.end, end);
    if (c.cls != CharClass::space) break;
    run.last = run.end;
    run.end += c.length;
    if (*run.last == '\r' || *run.last == '\n') run.newline_end = run.end;
  }
  return run;
}

}  // namespace lq::detail
