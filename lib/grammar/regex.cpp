#include "loquor/grammar/regex.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"
#include "loquor/grammar/grammar.hpp"
#include "regex_reader.hpp"

namespace lq {
namespace {

std::uint32_t target(const Dfa::State& state, std::uint32_t c) {
  for (const Dfa::Edge& e : state.edges)
    if (e.first <= c && c <= e.last) return e.to;
  return UINT32_MAX;
}

// From texts with their marks to the texts: begins after the first mark, accepts where the last one would lead to
// acceptance.
Dfa without_marks(const Dfa& marked) {
  Nfa out;
  if (marked.empty()) return {};
  const std::uint32_t start = target(marked.states[0], kTextBegin);
  if (start == UINT32_MAX) return {};
  std::vector<std::uint32_t> names;
  for (std::size_t s = 0; s < marked.states.size(); ++s) names.push_back(out.add_state());
  out.add_empty(0, names[start]);
  for (std::size_t s = 0; s < marked.states.size(); ++s) {
    for (const Dfa::Edge& e : marked.states[s].edges) {
      const std::uint32_t last = std::min(e.last, kLastCodePoint);
      if (e.first <= last) out.add_edge(names[s], CharSet(e.first, last), names[e.to]);
    }
    const std::uint32_t end = target(marked.states[s], kTextEnd);
    if (end != UINT32_MAX && marked.states[end].accepts) out.add_empty(names[s], 1);
  }
  return out.determinise();
}

Expr mark(std::uint32_t c) { return Expr::optional(Expr::of({c, c})); }

}  // namespace

Dfa dfa_of_search(std::string_view pattern) {
  const Expr around = Expr::repeat_of(Expr::of({0, kTextEnd}), 0, Expr::kNoLimit);
  return without_marks(to_dfa(Expr::sequence_of({around, RegexReader(pattern).read(), around})));
}

Dfa dfa_of_match(std::string_view pattern) {
  return without_marks(to_dfa(Expr::sequence_of({mark(kTextBegin), RegexReader(pattern).read(), mark(kTextEnd)})));
}

std::shared_ptr<const Grammar> Grammar::from_regex(std::string_view pattern) {
  Dfa dfa = dfa_of_match(pattern);
  LQ_CHECK(!dfa.empty(), Code::invalid_argument, "regular expression: no text matches it");
  return std::make_shared<const Grammar>(RuleSet{{{"root", Expr::machine_of(std::move(dfa), false)}}, 0});
}

}  // namespace lq
