#include "formats.hpp"

#include "loquor/core/status.hpp"
#include "loquor/grammar/regex.hpp"

namespace lq::schema {
namespace {

struct Row {
  std::string_view name, pattern;
};
constexpr Row kRows[] = {
#define LQ_FORMAT(name, pattern) {name, pattern},
#include "formats.def"
#undef LQ_FORMAT
};

}  // namespace

Dfa texts_of_format(std::string_view name) {
  std::string known;
  for (const Row& row : kRows) {
    if (row.name == name) return dfa_of_match(row.pattern);
    known += str(known.empty() ? "" : ", ", row.name);
  }
  fail(Code::unsupported, "JSON Schema: format '", name, "' is not supported; known are ", known);
}

}  // namespace lq::schema
