// Grammars as rules over expressions: what the readers of GBNF, JSON Schema and regular expressions make, and what
// Automaton is built from. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loquor/grammar/char_set.hpp"
#include "loquor/grammar/dfa.hpp"

namespace lq {

struct Expr {
  enum class Kind : std::uint8_t {
    sequence,     // of children; none: the empty text
    choice,       // one of children; none: nothing matches
    repeat,       // children[0], min to max times
    chars,        // one code point of `chars`, as UTF-8
    call,         // of the rule `rule`
    machine,      // a text that `dfa` accepts, as UTF-8
    json_machine  // the same, as the inside of a JSON string: raw or escaped
  };
  static constexpr std::uint32_t kNoLimit = UINT32_MAX;

  Kind kind = Kind::sequence;
  std::uint32_t rule = 0, min = 0, max = 0;
  CharSet chars;
  std::vector<Expr> children;
  std::shared_ptr<const Dfa> dfa;

  static Expr text(std::string_view utf8);  // throws Error{invalid_argument} for ill-formed UTF-8
  static Expr of(CharSet chars);
  static Expr call_of(std::uint32_t rule);
  static Expr sequence_of(std::vector<Expr> children);
  static Expr choice_of(std::vector<Expr> children);
  static Expr repeat_of(Expr child, std::uint32_t min, std::uint32_t max);
  static Expr optional(Expr child) { return repeat_of(std::move(child), 0, 1); }
  static Expr machine_of(Dfa dfa, bool json);
  // Adds `first` to the numbers of the rules it calls.
  void renumber(std::uint32_t first);
};

struct Rule {
  std::string name;
  Expr body;
  bool shared = false;  // never copied into the rules that call it: its states, and so their masks, are then the same
};

struct RuleSet {
  std::vector<Rule> rules;
  std::uint32_t root = 0;
};

// Expressions without calls, as an automaton over code points. Throws Error{limit}.
Dfa to_dfa(const Expr& expr);

}  // namespace lq
