#include "loquor/grammar/rules.hpp"

#include "loquor/core/status.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxNfaStates = 60'000;

// Adds what leads from one state to another. Depth is bounded by that of the expression, which its reader bounds.
void add(Nfa& nfa, const Expr& e, std::uint32_t from, std::uint32_t to);

void add_repeat(Nfa& nfa, const Expr& e, std::uint32_t from, std::uint32_t to) {
  std::uint32_t at = from;
  for (std::uint32_t i = 0; i < e.min; ++i) {
    const std::uint32_t next = nfa.add_state();
    add(nfa, e.children[0], at, next);
    at = next;
  }
  if (e.max == Expr::kNoLimit) {
    const std::uint32_t loop = nfa.add_state();
    nfa.add_empty(at, loop);
    add(nfa, e.children[0], loop, loop);
    nfa.add_empty(loop, to);
    return;
  }
  nfa.add_empty(at, to);
  for (std::uint32_t i = e.min; i < e.max; ++i) {
    const std::uint32_t next = nfa.add_state();
    add(nfa, e.children[0], at, next);
    nfa.add_empty(next, to);
    at = next;
  }
}

void add_machine(Nfa& nfa, const Dfa& dfa, std::uint32_t from, std::uint32_t to) {
  if (dfa.empty()) return;
  std::vector<std::uint32_t> names;
  for (std::size_t s = 0; s < dfa.states.size(); ++s) names.push_back(nfa.add_state());
  nfa.add_empty(from, names[0]);
  for (std::size_t s = 0; s < dfa.states.size(); ++s) {
    for (const Dfa::Edge& e : dfa.states[s].edges) nfa.add_edge(names[s], CharSet(e.first, e.last), names[e.to]);
    if (dfa.states[s].accepts) nfa.add_empty(names[s], to);
  }
}

void add(Nfa& nfa, const Expr& e, std::uint32_t from, std::uint32_t to) {
  LQ_CHECK(nfa.size() < kMaxNfaStates, Code::limit, "grammar: an expression is too large");
  switch (e.kind) {
    case Expr::Kind::sequence:
      for (const Expr& child : e.children) {
        const std::uint32_t next = nfa.add_state();
        add(nfa, child, from, next);
        from = next;
      }
      return nfa.add_empty(from, to);
    case Expr::Kind::choice:
      for (const Expr& child : e.children) {
        // States of its own: a loop at the end of one branch must not be entered from another.
        const std::uint32_t first = nfa.add_state(), last = nfa.add_state();
        nfa.add_empty(from, first);
        add(nfa, child, first, last);
        nfa.add_empty(last, to);
      }
      return;
    case Expr::Kind::repeat:
      return add_repeat(nfa, e, from, to);
    case Expr::Kind::chars:
      return nfa.add_edge(from, e.chars, to);
    case Expr::Kind::machine:
      return add_machine(nfa, *e.dfa, from, to);
    default:
      fail(Code::internal, "grammar: an expression that is not regular");
  }
}

}  // namespace

Expr Expr::text(std::string_view utf8) {
  Expr out;
  while (!utf8.empty()) {
    const CodePoint c = decode_utf8(utf8.data(), utf8.size());
    LQ_CHECK(c.length, Code::invalid_argument, "grammar: a text is not valid UTF-8");
    out.children.push_back(of(CharSet(c.value, c.value)));
    utf8.remove_prefix(c.length);
  }
  return out;
}

Expr Expr::of(CharSet chars) {
  Expr out;
  out.kind = Kind::chars;
  out.chars = std::move(chars);
  return out;
}

Expr Expr::call_of(std::uint32_t rule) {
  Expr out;
  out.kind = Kind::call;
  out.rule = rule;
  return out;
}

Expr Expr::sequence_of(std::vector<Expr> children) {
  Expr out;
  out.children = std::move(children);
  return out;
}

Expr Expr::choice_of(std::vector<Expr> children) {
  Expr out;
  out.kind = Kind::choice;
  out.children = std::move(children);
  return out;
}

Expr Expr::repeat_of(Expr child, std::uint32_t min, std::uint32_t max) {
  Expr out;
  out.kind = Kind::repeat;
  out.min = min;
  out.max = max;
  out.children.push_back(std::move(child));
  return out;
}

Expr Expr::machine_of(Dfa dfa, bool json) {
  Expr out;
  out.kind = json ? Kind::json_machine : Kind::machine;
  out.dfa = std::make_shared<const Dfa>(std::move(dfa));
  return out;
}

void Expr::renumber(std::uint32_t first) {
  if (kind == Kind::call) rule += first;
  for (Expr& child : children) child.renumber(first);
}

Dfa to_dfa(const Expr& expr) {
  Nfa nfa;
  add(nfa, expr, 0, 1);
  return nfa.determinise();
}

}  // namespace lq
