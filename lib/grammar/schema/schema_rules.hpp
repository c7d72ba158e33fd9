// JSON Schema as rules, for grammars that hold some.
#pragma once

#include <string_view>

#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/rules.hpp"

namespace lq::schema {

// Throws as Grammar::from_json_schema.
RuleSet rules_of_schema(std::string_view text, const SchemaOptions& options);

}  // namespace lq::schema
