// Deterministic automata over code points: the algebra behind patterns, lengths, formats and ranges of JSON Schema.
// Every automaton is trimmed: each state is reachable and reaches an accepting one, so an automaton without states is
// the empty language. Plain values; const methods are thread-compatible.
//
// Sizes are bounded: an operation that would need more than kMaxStates states throws Error{limit}.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "loquor/grammar/char_set.hpp"

namespace lq {

struct Dfa {
  static constexpr std::size_t kMaxStates = 20'000;
  struct Edge {
    std::uint32_t first, last;  // code points, inclusive
    std::uint32_t to;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct State {
    bool accepts = false;
    std::vector<Edge> edges;  // sorted, disjoint
  };
  std::vector<State> states;  // 0 is the first one

  bool empty() const noexcept { return states.empty(); }
  // Of code points; ill-formed UTF-8 is never accepted.
  bool accepts(std::string_view utf8) const;

  static Dfa any();  // every text
  static Dfa of_text(std::string_view utf8);
  // Texts of min to max code points. Throws Error{limit}.
  static Dfa of_length(std::size_t min, std::size_t max);  // max: SIZE_MAX = no limit

  Dfa intersect(const Dfa& other) const;
  Dfa unite(const Dfa& other) const;
  Dfa minus(const Dfa& other) const;
  Dfa exclusive(const Dfa& other) const;  // in one of both
  // Is there no text in both?
  bool disjoint(const Dfa& other) const { return intersect(other).empty(); }
};

// A nondeterministic automaton under construction: state 0 is the first, 1 the accepting one.
class Nfa {
 public:
  Nfa() { add_state(), add_state(); }
  std::uint32_t add_state() {
    states_.emplace_back();
    return static_cast<std::uint32_t>(states_.size() - 1);
  }
  void add_edge(std::uint32_t from, const CharSet& chars, std::uint32_t to);
  void add_empty(std::uint32_t from, std::uint32_t to) { states_[from].empty.push_back(to); }
  std::size_t size() const noexcept { return states_.size(); }
  // Throws Error{limit}.
  Dfa determinise() const;

 private:
  struct State {
    std::vector<Dfa::Edge> edges;
    std::vector<std::uint32_t> empty;
  };
  void close(std::vector<std::uint32_t>& set) const;
  std::vector<State> states_;
};

}  // namespace lq
