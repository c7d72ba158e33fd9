// The formats of JSON Schema's strings that are understood: rows of formats.def.
#pragma once

#include <string_view>

#include "loquor/grammar/dfa.hpp"

namespace lq::schema {

// Throws Error{unsupported}, listing those known.
Dfa texts_of_format(std::string_view name);

}  // namespace lq::schema
