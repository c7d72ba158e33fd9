// A grammar as tables over bytes: one deterministic automaton for each rule, whose states may also call other rules (a
// recursive transition network; Woods 1970). Built once, then constant and shareable between threads.
//
// Every state is reachable and every state can be completed to a text of its rule, so what a Matcher has accepted can
// always be completed, too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "loquor/grammar/rules.hpp"

namespace lq {

struct Automaton {
  static constexpr std::size_t kMaxStates = 150'000;
  static constexpr std::int32_t kDead = -1;

  struct Call {
    std::uint32_t rule;
    std::uint32_t back;  // the state that goes on after it
  };
  struct State {
    std::uint32_t first_call = 0, n_calls = 0;
    bool ends = false;  // its rule may end here
    bool bytes = false;
    bool plain() const noexcept { return n_calls == 0 && !ends; }
    bool only_ends() const noexcept { return n_calls == 0 && !bytes; }
  };

  std::array<std::uint8_t, 256> classes{};  // bytes that no state tells apart have one class
  std::size_t n_classes = 0;
  std::vector<std::int32_t> next;  // (states, n_classes)
  std::vector<State> states;
  std::vector<Call> calls;
  std::vector<std::uint32_t> starts;  // of each rule
  std::uint32_t root = 0;             // a rule

  std::int32_t step(std::uint32_t state, std::uint8_t byte) const noexcept {
    return next[state * n_classes + classes[byte]];
  }
  std::size_t bytes() const noexcept {
    return next.size() * sizeof next[0] + states.size() * sizeof states[0] + calls.size() * sizeof calls[0];
  }
};

// Throws Error{invalid_argument} if no text matches, Error{limit} for a grammar that is too large.
Automaton build_automaton(RuleSet rules);

}  // namespace lq
