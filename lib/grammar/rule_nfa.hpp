// Turns the expressions of rules into automata over bytes: small rules are copied into those that call them, long
// repetitions are cut into blocks that share their states.
#pragma once

#include <vector>

#include "byte_nfa.hpp"
#include "loquor/grammar/rules.hpp"

namespace lq {

class RuleCompiler {
 public:
  explicit RuleCompiler(RuleSet& rules);
  // Of rules().rules[rule]; may append rules, to be compiled in their turn. Throws Error{limit}.
  ByteNfa compile(std::uint32_t rule);

 private:
  struct Plan {
    std::size_t size = 0;  // states, about
    bool copied = false;
  };
  void plan();
  std::size_t size_of(const Expr& e) const;
  bool lingers(const Expr& e) const;
  void add(const Expr& e, std::uint32_t from, std::uint32_t to);
  void add_exactly(const Expr& child, std::uint32_t n, std::uint32_t from, std::uint32_t to);
  void add_up_to(const Expr& child, std::uint32_t n, std::uint32_t from, std::uint32_t to);
  std::uint32_t helper(Expr body);
  std::uint32_t next() { return nfa_.add_state(); }

  RuleSet& rules_;
  std::vector<Plan> plans_;
  ByteNfa nfa_;
};

// The strongly connected components of the rules' calls, callees first (Tarjan 1972); `recursive` of those that call
// themselves, directly or not. No recursion of its own.
struct CallOrder {
  std::vector<std::uint32_t> order;
  std::vector<bool> recursive;
};
CallOrder order_calls(const RuleSet& rules);

}  // namespace lq
