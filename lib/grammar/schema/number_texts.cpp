#include "number_texts.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"
#include "loquor/grammar/regex.hpp"

namespace lq::schema {
namespace {

constexpr std::size_t kMostDigits = 60;
constexpr std::size_t kMostRemainders = 12'000;

// A decimal without sign that is at least (or more than) that of `v`, without its sign.
Dfa magnitude_from(const Decimal& v, bool exclusive) {
  const std::string any_part = "(\\.[0-9]+)?";
  const auto more = [](char digit, char least) {
    const char from = std::max(static_cast<char>(digit + 1), least);
    return from > '9' ? std::string("[]") : std::string("[") + from + "-9]";
  };
  const auto times = [](std::size_t n) { return "[0-9]{" + std::to_string(n) + "}"; };
  const std::string& w = v.whole;
  std::string pattern = "[1-9]" + times(w.size()) + "[0-9]*" + any_part;
  for (std::size_t i = 0; i < w.size(); ++i)
    pattern +=
        "|" + w.substr(0, i) + more(w[i], i == 0 && w.size() > 1 ? '1' : '0') + times(w.size() - i - 1) + any_part;
  const std::string& p = v.part;
  for (std::size_t i = 0; i < p.size(); ++i) pattern += "|" + w + "\\." + p.substr(0, i) + more(p[i], '0') + "[0-9]*";
  if (exclusive)
    pattern += "|" + w + "\\." + p + "0*[1-9][0-9]*";
  else
    pattern += p.empty() ? "|" + w + any_part : "|" + w + "\\." + p + "[0-9]*";
  return dfa_of_match(pattern);
}

Dfa negated(const Dfa& numbers) {
  Dfa out = numbers;  // "-" before each: one more state in front
  if (out.empty()) return out;
  for (auto& s : out.states)
    for (auto& e : s.edges) ++e.to;
  out.states.insert(out.states.begin(), Dfa::State{false, {{'-', '-', 1}}});
  return out;
}

Dfa unsigned_plain() { return dfa_of_match("(0|[1-9][0-9]*)(\\.[0-9]+)?"); }

// value >= v for v > 0, or value > 0: those with a sign are all too small.
Dfa from_positive(const Decimal& v, bool exclusive) { return magnitude_from(v, exclusive); }

// value <= v for v < 0 is value <= -|v|: a sign before what is at least |v|.
Dfa to_negative(const Decimal& v, bool exclusive) { return negated(magnitude_from(v, exclusive)); }

}  // namespace

Decimal Decimal::of(const Json& number) {
  Decimal out;
  std::string digits = number.dump();
  if (digits[0] == '-') {
    out.negative = true;
    digits.erase(0, 1);
  }
  long exponent = 0;
  if (const std::size_t e = digits.find('e'); e != std::string::npos) {
    exponent = std::stol(digits.substr(e + 1));
    digits.resize(e);
  }
  LQ_CHECK(exponent >= -static_cast<long>(kMostDigits) && exponent <= static_cast<long>(kMostDigits), Code::limit,
           "JSON Schema: the number ", number.dump(), " has too many digits");
  std::size_t point = digits.find('.');
  if (point == std::string::npos)
    point = digits.size();
  else
    digits.erase(point, 1);
  long at = static_cast<long>(point) + exponent;
  if (at < 0) digits.insert(0, static_cast<std::size_t>(-at), '0'), at = 0;
  if (at > static_cast<long>(digits.size())) digits.append(static_cast<std::size_t>(at) - digits.size(), '0');
  out.whole = digits.substr(0, static_cast<std::size_t>(at));
  out.part = digits.substr(static_cast<std::size_t>(at));
  out.whole.erase(0, std::min(out.whole.find_first_not_of('0'), out.whole.size()));
  if (out.whole.empty()) out.whole = "0";
  out.part.erase(out.part.find_last_not_of('0') + 1);
  if (out.zero()) out.negative = false;
  LQ_CHECK(out.whole.size() + out.part.size() <= kMostDigits, Code::limit, "JSON Schema: the number ", number.dump(),
           " has too many digits");
  return out;
}

const Dfa& all_numbers() {
  static const Dfa dfa = dfa_of_match("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?");
  return dfa;
}

const Dfa& plain_numbers() {
  static const Dfa dfa = dfa_of_match("-?(0|[1-9][0-9]*)(\\.[0-9]+)?");
  return dfa;
}

const Dfa& integers() {
  static const Dfa dfa = dfa_of_match("-?(0|[1-9][0-9]*)(\\.0+)?");
  return dfa;
}

Dfa equal_to(const Decimal& v) {
  const std::string sign = v.zero() ? "-?" : v.negative ? "-" : "";
  return dfa_of_match(sign + v.whole + (v.part.empty() ? "(\\.0+)?" : "\\." + v.part + "0*"));
}

Dfa at_least(const Decimal& v, bool exclusive) {
  if (!v.negative && !(v.zero() && !exclusive)) return from_positive(v, exclusive);
  // Zero itself may have a sign.
  if (v.zero()) return unsigned_plain().unite(equal_to(v));
  return plain_numbers().minus(to_negative(v, !exclusive));
}

Dfa at_most(const Decimal& v, bool exclusive) {
  if (v.zero()) return exclusive ? to_negative(v, true) : plain_numbers().minus(from_positive(v, true));
  if (v.negative) return to_negative(v, exclusive);
  return plain_numbers().minus(from_positive(v, !exclusive));
}

Dfa multiples_of(const Decimal& v) {
  LQ_CHECK(!v.negative && !v.zero(), Code::invalid_argument, "JSON Schema: multipleOf must be more than 0");
  const std::string digits = v.whole + v.part;
  const std::size_t places = v.part.size();
  std::uint64_t divisor = 0;
  for (char c : digits) {
    divisor = divisor * 10 + static_cast<std::uint64_t>(c - '0');
    LQ_CHECK(divisor * (places + 2) <= kMostRemainders, Code::limit, "JSON Schema: multipleOf ", v.whole, ".", v.part,
             " has too many digits");
  }
  // State 1 + phase * divisor + r: what has been read, without the point, is r modulo the divisor; phase 0 is before
  // the point, phase k >= 1 has k - 1 digits after it. Behind the last place only zeros may follow.
  const auto state = [&](std::size_t phase, std::uint64_t r) {
    return static_cast<std::uint32_t>(1 + phase * divisor + r);
  };
  const auto whole_at = [&](std::size_t places_left, std::uint64_t r) {
    for (std::size_t i = 0; i < places_left; ++i) r = r * 10 % divisor;
    return r == 0;
  };
  Nfa nfa;
  for (std::uint64_t i = 0; i < divisor * (places + 2); ++i) nfa.add_state();
  const auto shifted = [&](std::size_t phase, std::uint64_t r) {
    return state(phase, r) + 1;
  };  // Nfa's state 1 accepts
  nfa.add_empty(0, shifted(0, 0));
  nfa.add_edge(0, {'-', '-'}, shifted(0, 0));
  for (std::uint64_t r = 0; r < divisor; ++r) {
    for (std::size_t phase = 0; phase < places + 2; ++phase) {
      const std::size_t done = phase == 0 ? 0 : phase - 1;
      if (whole_at(places - done, r)) nfa.add_empty(shifted(phase, r), 1);
      for (std::uint32_t d = 0; d < 10; ++d) {
        if (phase == places + 1 && d != 0) break;
        const std::size_t next = phase == 0 ? 0 : std::min(phase + 1, places + 1);
        const std::uint64_t to = phase == places + 1 ? r : (r * 10 + d) % divisor;
        nfa.add_edge(shifted(phase, r), {'0' + d, '0' + d}, shifted(next, to));
      }
    }
    nfa.add_edge(shifted(0, r), {'.', '.'}, shifted(1, r));
  }
  return nfa.determinise().intersect(plain_numbers());
}

Dfa as_written(const Dfa& numbers) {
  static const Dfa written = dfa_of_match("-?(0|[1-9][0-9]*)(\\.(0|[0-9]*[1-9]))?([eE][+-]?[0-9]+)?");
  return numbers.intersect(written);
}

}  // namespace lq::schema
