#include "loquor/grammar/dfa.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "loquor/core/status.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

void check_size(std::size_t n) {
  LQ_CHECK(n <= Dfa::kMaxStates, Code::limit, "grammar: an expression needs more than ", Dfa::kMaxStates, " states");
}

// Adds an edge to a sorted list that ends before `first`, joining equal neighbours.
void append_edge(std::vector<Dfa::Edge>& edges, std::uint32_t first, std::uint32_t last, std::uint32_t to) {
  if (!edges.empty() && edges.back().to == to && edges.back().last + 1 == first)
    edges.back().last = last;
  else
    edges.push_back({first, last, to});
}

// Drops states that reach no accepting one. All are reachable by construction.
Dfa trim(const Dfa& in) {
  const std::size_t n = in.states.size();
  std::vector<std::vector<std::uint32_t>> sources(n);
  for (std::uint32_t s = 0; s < n; ++s)
    for (const Dfa::Edge& e : in.states[s].edges) sources[e.to].push_back(s);
  std::vector<std::uint32_t> todo, name(n, kNone);
  for (std::uint32_t s = 0; s < n; ++s)
    if (in.states[s].accepts) name[s] = 0, todo.push_back(s);
  while (!todo.empty()) {
    const std::uint32_t s = todo.back();
    todo.pop_back();
    for (std::uint32_t from : sources[s])
      if (name[from] == kNone) name[from] = 0, todo.push_back(from);
  }
  if (n == 0 || name[0] == kNone) return {};
  std::uint32_t next = 0;
  for (std::uint32_t& at : name)
    if (at != kNone) at = next++;
  Dfa out;
  out.states.resize(next);
  for (std::uint32_t s = 0; s < n; ++s) {
    if (name[s] == kNone) continue;
    Dfa::State& state = out.states[name[s]];
    state.accepts = in.states[s].accepts;
    for (const Dfa::Edge& e : in.states[s].edges)
      if (name[e.to] != kNone) append_edge(state.edges, e.first, e.last, name[e.to]);
  }
  return out;
}

// A state's edges with their targets' parts, equal neighbours joined: what must agree for two states to be one.
std::vector<std::uint32_t> signature(const Dfa::State& state, const std::vector<std::uint32_t>& part,
                                     std::uint32_t own) {
  std::vector<Dfa::Edge> edges;
  for (const Dfa::Edge& e : state.edges) append_edge(edges, e.first, e.last, part[e.to]);
  std::vector<std::uint32_t> out{own};
  for (const Dfa::Edge& e : edges) out.insert(out.end(), {e.first, e.last, e.to});
  return out;
}

// Moore's partition refinement, where its square time does not matter.
Dfa minimise(const Dfa& in) {
  const std::size_t n = in.states.size();
  if (n < 2 || n > 1500) return in;
  std::vector<std::uint32_t> part(n), next(n);
  for (std::size_t s = 0; s < n; ++s) part[s] = in.states[s].accepts;
  std::size_t parts = 0;
  for (;;) {
    std::map<std::vector<std::uint32_t>, std::uint32_t> names;
    for (std::size_t s = 0; s < n; ++s) {
      const auto name = static_cast<std::uint32_t>(names.size());
      next[s] = names.try_emplace(signature(in.states[s], part, part[s]), name).first->second;
    }
    part.swap(next);
    if (names.size() == parts) break;
    parts = names.size();
  }
  Dfa out;
  out.states.resize(parts);
  std::vector<bool> done(parts);
  for (std::size_t s = 0; s < n; ++s) {
    if (done[part[s]]) continue;
    done[part[s]] = true;
    Dfa::State& state = out.states[part[s]];  // part 0 is that of state 0: it is named first
    state.accepts = in.states[s].accepts;
    for (const Dfa::Edge& e : in.states[s].edges) append_edge(state.edges, e.first, e.last, part[e.to]);
  }
  return out;
}

enum class Keep { both, either, first_only, one_only };

bool keeps(Keep how, bool a, bool b) {
  switch (how) {
    case Keep::both:
      return a && b;
    case Keep::either:
      return a || b;
    case Keep::first_only:
      return a && !b;
    default:
      return a != b;
  }
}

// The pairs of states of a and b that are met, each a state of the result; kNone is the state that leads nowhere.
struct Product {
  using Pair = std::pair<std::uint32_t, std::uint32_t>;
  const Dfa &a, &b;
  Keep how;
  std::map<Pair, std::uint32_t> names{};
  std::vector<Pair> pairs{};
  Dfa out{};

  std::uint32_t name(Pair p) {
    const auto [at, is_new] = names.try_emplace(p, static_cast<std::uint32_t>(pairs.size()));
    if (is_new) {
      check_size(pairs.size());
      pairs.push_back(p);
    }
    return at->second;
  }

  bool dead(Pair p) const {
    const bool a_dead = p.first == kNone, b_dead = p.second == kNone;
    if (how == Keep::both) return a_dead || b_dead;
    if (how == Keep::first_only) return a_dead;
    return a_dead && b_dead;
  }

  void expand(std::uint32_t at) {
    static const std::vector<Dfa::Edge> no_edges;
    const auto [sa, sb] = pairs[at];
    const auto& ea = sa == kNone ? no_edges : a.states[sa].edges;
    const auto& eb = sb == kNone ? no_edges : b.states[sb].edges;
    Dfa::State state;
    state.accepts = keeps(how, sa != kNone && a.states[sa].accepts, sb != kNone && b.states[sb].accepts);
    std::uint64_t from = 0;
    for (std::size_t i = 0, j = 0; i < ea.size() || j < eb.size();) {
      // The next stretch on which neither automaton's edge changes.
      const bool in_a = i < ea.size() && ea[i].first <= from, in_b = j < eb.size() && eb[j].first <= from;
      std::uint64_t end = kLastCodePoint;
      if (i < ea.size()) end = std::min<std::uint64_t>(end, in_a ? ea[i].last : std::uint64_t{ea[i].first} - 1);
      if (j < eb.size()) end = std::min<std::uint64_t>(end, in_b ? eb[j].last : std::uint64_t{eb[j].first} - 1);
      const Pair to{in_a ? ea[i].to : kNone, in_b ? eb[j].to : kNone};
      if ((in_a || in_b) && !dead(to))
        append_edge(state.edges, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(end), name(to));
      if (in_a && ea[i].last == end) ++i;
      if (in_b && eb[j].last == end) ++j;
      from = end + 1;
    }
    out.states.push_back(std::move(state));
  }

  Dfa run() {
    const Pair first{a.empty() ? kNone : 0u, b.empty() ? kNone : 0u};
    if (dead(first)) return {};
    name(first);
    for (std::uint32_t at = 0; at < pairs.size(); ++at) expand(at);
    return minimise(trim(out));
  }
};

std::vector<CodePoint> code_points(std::string_view utf8) {
  std::vector<CodePoint> out;
  while (!utf8.empty()) {
    out.push_back(decode_utf8(utf8.data(), utf8.size()));
    if (out.back().length == 0) break;
    utf8.remove_prefix(out.back().length);
  }
  return out;
}

}  // namespace

bool Dfa::accepts(std::string_view utf8) const {
  if (empty()) return false;
  std::uint32_t state = 0;
  for (const CodePoint c : code_points(utf8)) {
    if (c.length == 0) return false;
    const auto& edges = states[state].edges;
    const auto at = std::partition_point(edges.begin(), edges.end(), [&](const Edge& e) { return e.last < c.value; });
    if (at == edges.end() || at->first > c.value) return false;
    state = at->to;
  }
  return states[state].accepts;
}

Dfa Dfa::any() {
  Dfa out;
  out.states.push_back({true, {{0, kLastCodePoint, 0}}});
  return out;
}

Dfa Dfa::of_text(std::string_view utf8) {
  Dfa out;
  const auto chars = code_points(utf8);
  check_size(chars.size());
  out.states.resize(chars.size() + 1);
  for (std::uint32_t i = 0; i < chars.size(); ++i) {
    LQ_CHECK(chars[i].length, Code::invalid_argument, "grammar: a text is not valid UTF-8");
    out.states[i].edges.push_back({chars[i].value, chars[i].value, i + 1});
  }
  out.states.back().accepts = true;
  return out;
}

Dfa Dfa::of_length(std::size_t min, std::size_t max) {
  if (min > max) return {};
  const std::size_t last = max == SIZE_MAX ? min : max;
  check_size(last);
  Dfa out;
  out.states.resize(last + 1);
  for (std::uint32_t i = 0; i <= last; ++i) {
    out.states[i].accepts = i >= min;
    if (i < last) out.states[i].edges.push_back({0, kLastCodePoint, i + 1});
  }
  if (max == SIZE_MAX) out.states.back().edges.push_back({0, kLastCodePoint, static_cast<std::uint32_t>(last)});
  return out;
}

Dfa Dfa::intersect(const Dfa& other) const { return Product{*this, other, Keep::both}.run(); }
Dfa Dfa::unite(const Dfa& other) const { return Product{*this, other, Keep::either}.run(); }
Dfa Dfa::minus(const Dfa& other) const { return Product{*this, other, Keep::first_only}.run(); }
Dfa Dfa::exclusive(const Dfa& other) const { return Product{*this, other, Keep::one_only}.run(); }

void Nfa::add_edge(std::uint32_t from, const CharSet& chars, std::uint32_t to) {
  for (const CharSet::Range& r : chars.ranges()) states_[from].edges.push_back({r.first, r.last, to});
}

void Nfa::close(std::vector<std::uint32_t>& set) const {
  std::vector<bool> in(states_.size());
  for (std::uint32_t s : set) in[s] = true;
  for (std::size_t i = 0; i < set.size(); ++i)
    for (std::uint32_t to : states_[set[i]].empty)
      if (!in[to]) in[to] = true, set.push_back(to);
  std::sort(set.begin(), set.end());
}

Dfa Nfa::determinise() const {
  std::map<std::vector<std::uint32_t>, std::uint32_t> names;
  std::vector<std::vector<std::uint32_t>> sets;
  std::size_t work = 0;
  const auto name = [&](std::vector<std::uint32_t> set) {
    close(set);
    // The bound on the sum of all sets' sizes bounds the time as well as the memory.
    work += states_.size() / 64 + set.size();
    LQ_CHECK(work < 20'000'000, Code::limit, "grammar: an expression is too complex");
    const auto [at, is_new] = names.try_emplace(set, static_cast<std::uint32_t>(sets.size()));
    if (is_new) {
      check_size(sets.size());
      sets.push_back(std::move(set));
    }
    return at->second;
  };
  name({0});
  Dfa out;
  for (std::size_t at = 0; at < sets.size(); ++at) {
    const std::vector<std::uint32_t> set = sets[at];
    std::vector<std::uint32_t> cuts;  // where some edge begins or has ended
    for (std::uint32_t s : set)
      for (const Dfa::Edge& e : states_[s].edges) cuts.push_back(e.first), cuts.push_back(e.last + 1);
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    std::vector<std::vector<std::uint32_t>> targets(cuts.size());
    for (std::uint32_t s : set)
      for (const Dfa::Edge& e : states_[s].edges) {
        auto i = static_cast<std::size_t>(std::lower_bound(cuts.begin(), cuts.end(), e.first) - cuts.begin());
        for (; cuts[i] <= e.last; ++i) targets[i].push_back(e.to);
      }
    Dfa::State state;
    state.accepts = std::binary_search(set.begin(), set.end(), 1u);
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      auto& to = targets[i];
      if (to.empty()) continue;
      std::sort(to.begin(), to.end());
      to.erase(std::unique(to.begin(), to.end()), to.end());
      append_edge(state.edges, cuts[i], cuts[i + 1] - 1, name(std::move(to)));
    }
    out.states.push_back(std::move(state));
  }
  return minimise(trim(out));
}

}  // namespace lq
