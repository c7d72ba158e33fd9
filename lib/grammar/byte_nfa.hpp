// A rule while it is being turned into tables: states with edges over bytes, empty edges and calls.
#pragma once

#include <cstdint>
#include <vector>

#include "loquor/grammar/dfa.hpp"

namespace lq {

struct ByteNfa {
  static constexpr std::size_t kMaxStates = 600'000;
  struct Edge {
    std::uint8_t first, last;
    std::uint32_t to;
  };
  struct Call {
    std::uint32_t rule, back;
  };
  struct State {
    std::vector<Edge> edges;
    std::vector<std::uint32_t> empty;
    std::vector<Call> calls;
  };
  std::vector<State> states{State{}, State{}};  // 0 is the first, 1 the last one

  std::uint32_t add_state();  // throws Error{limit}
  void add_byte(std::uint32_t from, std::uint8_t first, std::uint8_t last, std::uint32_t to) {
    states[from].edges.push_back({first, last, to});
  }
  void add_empty(std::uint32_t from, std::uint32_t to) { states[from].empty.push_back(to); }
  void add_call(std::uint32_t from, std::uint32_t rule, std::uint32_t back) {
    states[from].calls.push_back({rule, back});
  }

  // One code point of [first, last] as UTF-8 (Unicode 3.9, table 3-7; surrogates have no spelling).
  void add_utf8(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to);
  // The same as a character of a JSON string (RFC 8259, 7): raw where that is allowed, or escaped where that
  // is needed or the character is not ASCII.
  void add_json(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to);
  // A text that the automaton accepts.
  void add_machine(const Dfa& dfa, bool json, std::uint32_t from, std::uint32_t to);

 private:
  struct Digits;  // a range of numbers of n digits, split into products of ranges of digits
  void add_hex(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to);
  void add_escape(std::uint32_t from, std::uint32_t first, std::uint32_t last, std::uint32_t to);
};

}  // namespace lq
