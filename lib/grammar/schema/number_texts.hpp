// Numbers of JSON as sets of texts: ranges and multiples are regular in decimal notation. Exponents are left to numbers
// without any bound; every other set has all ways to write its numbers without one.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "loquor/grammar/dfa.hpp"

namespace lq::schema {

using Json = nlohmann::ordered_json;

// A finite number in decimal notation.
struct Decimal {
  bool negative = false;
  std::string whole = "0";  // no leading zeros
  std::string part;         // after the point; no trailing zeros

  bool zero() const { return whole == "0" && part.empty(); }
  static Decimal of(const Json& number);  // throws Error{limit} for more than 60 digits
};

const Dfa& all_numbers();
const Dfa& plain_numbers();  // without exponents
const Dfa& integers();
Dfa equal_to(const Decimal& value);
Dfa at_least(const Decimal& value, bool exclusive);
Dfa at_most(const Decimal& value, bool exclusive);
// Throws Error{limit} for a divisor of too many digits.
Dfa multiples_of(const Decimal& value);
// Of a set, the texts that programs write: no zeros behind the last digit after the point, but for ".0".
Dfa as_written(const Dfa& numbers);

}  // namespace lq::schema
