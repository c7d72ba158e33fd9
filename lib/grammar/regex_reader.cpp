#include "regex_reader.hpp"

#include "loquor/core/status.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {
namespace {

constexpr std::uint32_t kMostRepeats = 100'000;

CharSet digits() { return {'0', '9'}; }

CharSet words() {
  CharSet set('a', 'z');
  set.add('A', 'Z');
  set.add('0', '9');
  set.add('_', '_');
  return set;
}

CharSet spaces() {  // ECMA-262: WhiteSpace and LineTerminator
  CharSet set('\t', '\r');
  for (std::uint32_t c : {0x20u, 0xa0u, 0x1680u, 0x202fu, 0x205fu, 0x3000u, 0xfeffu, 0x2028u, 0x2029u}) set.add(c, c);
  set.add(0x2000, 0x200a);
  return set;
}

CharSet line_ends() {
  CharSet set('\n', '\n');
  set.add('\r', '\r');
  set.add(0x2028, 0x2029);
  return set;
}

CharSet of_class(CharClass wanted, CharClass also) {
  CharSet set;
  for (std::uint32_t first = 0; first <= kLastCodePoint; ++first) {
    const auto in = [&](std::uint32_t c) { return class_of(c) == wanted || class_of(c) == also; };
    if (!in(first)) continue;
    std::uint32_t last = first;
    while (last < kLastCodePoint && in(last + 1)) ++last;
    set.add(first, last);
    first = last;
  }
  return set;
}

}  // namespace

void RegexReader::malformed(std::string_view why) const {
  fail(Code::invalid_argument, "regular expression, at byte ", at_, ": ", why);
}

void RegexReader::unsupported(std::string_view what) const {
  fail(Code::unsupported, "regular expression, at byte ", at_, ": ", what, " is not supported");
}

bool RegexReader::take(std::string_view what) {
  if (!text_.substr(at_).starts_with(what)) return false;
  at_ += what.size();
  return true;
}

std::uint32_t RegexReader::code_point() {
  const CodePoint c = decode_utf8(text_.data() + at_, text_.size() - at_);
  if (c.length == 0) malformed("not valid UTF-8");
  at_ += c.length;
  return c.value;
}

Expr RegexReader::read() {
  Expr e = alternatives(0);
  if (!done()) malformed("')' without '('");
  return e;
}

Expr RegexReader::alternatives(int depth) {
  if (depth > kDepth) fail(Code::limit, "regular expression: groups nested deeper than ", kDepth);
  std::vector<Expr> branches;
  do branches.push_back(branch(depth));
  while (take("|"));
  return branches.size() == 1 ? std::move(branches[0]) : Expr::choice_of(std::move(branches));
}

Expr RegexReader::branch(int depth) {
  std::vector<Expr> parts;
  while (!done() && peek() != '|' && peek() != ')') {
    Expr e = atom(depth);
    const bool anchor = e.kind == Expr::Kind::chars && !e.chars.empty() && e.chars.ranges()[0].first > kLastCodePoint;
    if (quantify(e) && anchor) malformed("nothing to repeat");
    parts.push_back(std::move(e));
  }
  return Expr::sequence_of(std::move(parts));
}

Expr RegexReader::group(int depth) {
  if (take("?")) {
    if (take("<")) {
      if (peek() == '=' || peek() == '!') unsupported("look-behind");
      const std::size_t end = text_.find('>', at_);
      if (end == std::string_view::npos) malformed("a group's name has no '>'");
      at_ = end + 1;
    } else if (peek() == '=' || peek() == '!') {
      unsupported("look-ahead");
    } else if (!take(":")) {
      unsupported("a group with flags");
    }
  }
  Expr e = alternatives(depth + 1);
  if (!take(")")) malformed("'(' without ')'");
  return e;
}

Expr RegexReader::atom(int depth) {
  if (take("(")) return group(depth);
  if (take("[")) return Expr::of(char_class());
  if (take("\\")) return Expr::of(escape(false));
  if (take(".")) return Expr::of(line_ends().complement());
  if (take("^")) return Expr::of({kTextBegin, kTextBegin});
  if (take("$")) return Expr::of({kTextEnd, kTextEnd});
  if (peek() == '*' || peek() == '+' || peek() == '?') malformed("nothing to repeat");
  std::uint32_t min, max;
  if (peek() == '{' && counts(min, max)) malformed("nothing to repeat");
  const std::uint32_t c = code_point();
  return Expr::of({c, c});
}

std::uint32_t RegexReader::number() {
  std::uint64_t n = 0;
  while (peek() >= '0' && peek() <= '9') {
    n = n * 10 + static_cast<std::uint64_t>(text_[at_++] - '0');
    if (n > kMostRepeats) fail(Code::limit, "regular expression: more than ", kMostRepeats, " repetitions");
  }
  return static_cast<std::uint32_t>(n);
}

// "{2}", "{2,}", "{2,3}"; anything else is text, and nothing is taken.
bool RegexReader::counts(std::uint32_t& min, std::uint32_t& max) {
  const std::size_t before = at_;
  const auto is_digit = [this] { return peek() >= '0' && peek() <= '9'; };
  if (take("{") && is_digit()) {
    max = min = number();
    if (take(",")) max = is_digit() ? number() : Expr::kNoLimit;
    if (take("}")) {
      if (min > max) malformed("numbers out of order");
      return true;
    }
  }
  at_ = before;
  return false;
}

bool RegexReader::quantify(Expr& e) {
  std::uint32_t min = 0, max = Expr::kNoLimit;
  if (take("+"))
    min = 1;
  else if (take("?"))
    max = 1;
  else if (!take("*") && !counts(min, max))
    return false;
  take("?");  // lazy: the same texts
  if (peek() == '+') unsupported("a possessive quantifier");
  e = Expr::repeat_of(std::move(e), min, max);
  return true;
}

CharSet RegexReader::char_class() {
  const bool negated = take("^");
  CharSet set;
  while (!take("]")) {
    if (done()) malformed("'[' without ']'");
    const CharSet first = class_atom();
    if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
      ++at_;
      const CharSet last = class_atom();
      if (first.size() != 1 || last.size() != 1) malformed("a range ends in a class of characters");
      if (first.ranges()[0].first > last.ranges()[0].first) malformed("a range out of order");
      set.add(first.ranges()[0].first, last.ranges()[0].first);
    } else {
      set.add(first);
    }
  }
  return negated ? set.complement() : set;
}

CharSet RegexReader::class_atom() {
  if (take("\\")) return escape(true);
  if (done()) malformed("'[' without ']'");
  const std::uint32_t c = code_point();
  return {c, c};
}

std::uint32_t RegexReader::hex(std::size_t digits) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const char c = peek();
    const int d = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
    if (d < 0) malformed("a hexadecimal digit is missing");
    value = value << 4 | static_cast<std::uint32_t>(d);
    ++at_;
  }
  return value;
}

std::uint32_t RegexReader::braced_hex() {
  const std::size_t end = text_.find('}', at_);
  if (end == std::string_view::npos || end == at_ || end - at_ > 6) malformed("\\u{...} holds 1 to 6 digits");
  const std::uint32_t c = hex(end - at_);
  ++at_;
  if (c > kLastCodePoint) malformed("a character beyond Unicode");
  return c;
}

CharSet RegexReader::property(bool negated) {
  const std::size_t end = text_.find('}', at_);
  if (!take("{") || end == std::string_view::npos) malformed("\\p without {...}");
  const std::string_view name = text_.substr(at_, end - at_);
  CharSet set;
  if (name == "L" || name == "Letter" || name == "Alphabetic")
    set = of_class(CharClass::letter, CharClass::letter);
  else if (name == "N" || name == "Number")
    set = of_class(CharClass::number, CharClass::newer_number);
  else if (name == "White_Space")
    set = of_class(CharClass::space, CharClass::space);
  else
    unsupported(str("\\p{", name, "} (known are L, Letter, N, Number, White_Space)"));
  at_ = end + 1;
  return negated ? set.complement() : set;
}

CharSet RegexReader::escape(bool in_class) {
  if (done()) malformed("it ends in a backslash");
  const std::uint32_t c = code_point();
  const auto one = [](std::uint32_t value) { return CharSet(value, value); };
  switch (c) {
    case 'd':
      return digits();
    case 'D':
      return digits().complement();
    case 'w':
      return words();
    case 'W':
      return words().complement();
    case 's':
      return spaces();
    case 'S':
      return spaces().complement();
    case 'p':
      return property(false);
    case 'P':
      return property(true);
    case 't':
      return one('\t');
    case 'n':
      return one('\n');
    case 'r':
      return one('\r');
    case 'f':
      return one('\f');
    case 'v':
      return one('\v');
    case 'x':
      return one(hex(2));
    case 'b':
      if (in_class) return one('\b');
      [[fallthrough]];
    case 'B':
      unsupported("a word boundary");
    case 'k':
      unsupported("a back-reference");
    case 'c': {
      const char letter = peek();
      if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) malformed("\\c without a letter");
      ++at_;
      return one(static_cast<std::uint32_t>(letter) & 31);
    }
    case 'u': {
      if (take("{")) return one(braced_hex());
      const std::uint32_t high = hex(4);
      if (high < 0xd800 || high > 0xdbff || !take("\\u")) return one(high);
      const std::uint32_t low = hex(4);
      if (low < 0xdc00 || low > 0xdfff) malformed("half a surrogate pair");
      return one(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    }
    default:
      break;
  }
  if (c == '0' && !(peek() >= '0' && peek() <= '9')) return one(0);
  if (c >= '0' && c <= '9') unsupported("a back-reference");
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) malformed("an unknown escape");
  return one(c);
}

}  // namespace lq
