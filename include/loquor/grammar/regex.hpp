// Regular expressions in ECMAScript's notation (ECMA-262, 22.2; with the `u` flag's meaning of characters), less what
// is not regular or depends on what is around the text: look-around, back-references, word boundaries, flags.
#pragma once

#include <string_view>

#include "loquor/grammar/dfa.hpp"

namespace lq {

// The texts in which the pattern is found somewhere. Throws Error{invalid_argument|unsupported|limit}.
Dfa dfa_of_search(std::string_view pattern);
// The texts that it matches from end to end.
Dfa dfa_of_match(std::string_view pattern);

}  // namespace lq
