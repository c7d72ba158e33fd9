// Conditions on documents' metadata as SQL.
//   {"lang": "en", "year": {"$gte": 2020, "$lt": 2024}, "tag": {"$in": ["a", "b"]}, "labels": {"$contains": "x"},
//    "$or": [{...}, {...}], "$not": {...}, "draft": {"$exists": false}}
// Keys are those of the metadata's object, "a.b" of an object in it. All members must hold. Values compare with values
// of their own kind only, so a comparison with what is absent or of another type is false; null is equal to what is
// absent or null.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sqlite.hpp"

namespace lq {

struct FilterSql {
  std::string sql;  // over a row of `documents`; "" = always true
  std::vector<std::variant<std::int64_t, double, std::string>> values;
  // Binds the values to the parameters from `first` on.
  void bind(sqlite::Statement& statement, int first) const;
};

// Throws Error{invalid_argument} naming what is wrong, Error{limit} for conditions that are too many or too deep.
FilterSql parse_filter(std::string_view json);

}  // namespace lq
