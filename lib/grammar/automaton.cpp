#include "loquor/grammar/automaton.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "loquor/core/status.hpp"
#include "rule_nfa.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxWork = 60'000'000;

// All rules' states before the useless ones are dropped.
struct Draft {
  struct State {
    std::vector<ByteNfa::Edge> edges;  // sorted, disjoint
    std::vector<Automaton::Call> calls;
    bool ends = false;
  };
  std::vector<State> states;
  std::vector<std::uint32_t> starts;
};

// One rule's automaton made deterministic over bytes and calls (subset construction).
class Subsets {
 public:
  Subsets(const ByteNfa& nfa, Draft& draft, std::size_t& work) : nfa_(nfa), draft_(draft), work_(work) {}

  std::uint32_t run() {
    const std::uint32_t start = name({0});
    for (std::size_t at = 0; at < sets_.size(); ++at) expand(start + static_cast<std::uint32_t>(at), at);
    return start;
  }

 private:
  using Set = std::vector<std::uint32_t>;

  void close(Set& set) {
    if (mark_.size() < nfa_.states.size()) mark_.resize(nfa_.states.size());
    ++round_;
    for (std::uint32_t s : set) mark_[s] = round_;
    for (std::size_t i = 0; i < set.size(); ++i)
      for (std::uint32_t to : nfa_.states[set[i]].empty)
        if (mark_[to] != round_) mark_[to] = round_, set.push_back(to);
    std::sort(set.begin(), set.end());
    work_ += set.size() + 1;
    LQ_CHECK(work_ < kMaxWork, Code::limit, "grammar: it is too complex");
  }

  std::uint32_t name(Set set) {
    close(set);
    // States without edges, calls or an end of their own add nothing; without them more sets are equal.
    std::erase_if(set, [this](std::uint32_t s) {
      return s != 1 && nfa_.states[s].edges.empty() && nfa_.states[s].calls.empty();
    });
    const auto [at, is_new] = names_.try_emplace(set, static_cast<std::uint32_t>(draft_.states.size()));
    if (is_new) {
      LQ_CHECK(draft_.states.size() < Automaton::kMaxStates, Code::limit, "grammar: it needs more than ",
               Automaton::kMaxStates, " states");
      draft_.states.emplace_back();
      sets_.push_back(std::move(set));
    }
    return at->second;
  }

  void expand(std::uint32_t state, std::size_t at) {
    const Set set = sets_[at];
    std::vector<unsigned> cuts;  // where some edge begins or has ended
    std::map<std::uint32_t, Set> backs;
    for (std::uint32_t s : set) {
      for (const auto& e : nfa_.states[s].edges) cuts.push_back(e.first), cuts.push_back(e.last + 1u);
      for (const auto& c : nfa_.states[s].calls) backs[c.rule].push_back(c.back);
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    std::vector<Set> targets(cuts.size());
    for (std::uint32_t s : set)
      for (const auto& e : nfa_.states[s].edges)
        for (auto i = static_cast<std::size_t>(std::lower_bound(cuts.begin(), cuts.end(), e.first) - cuts.begin());
             cuts[i] <= e.last; ++i)
          targets[i].push_back(e.to);
    Draft::State out;
    out.ends = std::binary_search(set.begin(), set.end(), 1u);
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      if (targets[i].empty()) continue;
      const auto first = static_cast<std::uint8_t>(cuts[i]), last = static_cast<std::uint8_t>(cuts[i + 1] - 1);
      const std::uint32_t to = name(unique(std::move(targets[i])));
      if (!out.edges.empty() && out.edges.back().to == to && out.edges.back().last + 1 == first)
        out.edges.back().last = last;
      else
        out.edges.push_back({first, last, to});
    }
    for (auto& [rule, back] : backs) out.calls.push_back({rule, name(unique(std::move(back)))});
    draft_.states[state] = std::move(out);
  }

  static Set unique(Set set) {
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    return set;
  }

  const ByteNfa& nfa_;
  Draft& draft_;
  std::size_t& work_;
  std::map<Set, std::uint32_t> names_;
  std::vector<Set> sets_;
  std::vector<std::uint32_t> mark_;
  std::uint32_t round_ = 0;
};

// Which states can be completed, and so which rules have a text at all; each edge is looked at once.
class Completable {
 public:
  explicit Completable(const Draft& draft)
      : draft_(draft),
        sources_(draft.states.size()),
        callers_(draft.states.size()),
        waiting_(draft.starts.size()),
        completes(draft.states.size()),
        has_text(draft.starts.size()) {
    for (std::uint32_t s = 0; s < draft.states.size(); ++s) {
      for (const auto& e : draft.states[s].edges) sources_[e.to].push_back(s);
      for (const auto& c : draft.states[s].calls) callers_[c.back].push_back({s, c.rule});
    }
    std::vector<std::vector<std::uint32_t>> starts_of(draft.states.size());
    for (std::uint32_t r = 0; r < draft.starts.size(); ++r) starts_of[draft.starts[r]].push_back(r);
    for (std::uint32_t s = 0; s < draft.states.size(); ++s)
      if (draft.states[s].ends) reach(s);
    while (!todo_.empty()) {
      const std::uint32_t s = todo_.back();
      todo_.pop_back();
      for (std::uint32_t from : sources_[s]) reach(from);
      for (const auto& [from, rule] : callers_[s]) has_text[rule] ? reach(from) : waiting_[rule].push_back(from);
      for (std::uint32_t rule : starts_of[s]) {
        has_text[rule] = true;
        for (std::uint32_t from : waiting_[rule]) reach(from);
      }
    }
  }

 private:
  void reach(std::uint32_t s) {
    if (!completes[s]) completes[s] = true, todo_.push_back(s);
  }

  const Draft& draft_;
  std::vector<std::vector<std::uint32_t>> sources_;
  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> callers_;
  std::vector<std::vector<std::uint32_t>> waiting_;  // by rule: states that can be completed once it has a text
  std::vector<std::uint32_t> todo_;

 public:
  std::vector<bool> completes, has_text;
};

// The states that some text can reach, in the order they are found.
std::vector<std::uint32_t> reachable(const Draft& draft, const Completable& useful, std::uint32_t root) {
  std::vector<bool> seen(draft.states.size());
  std::vector<std::uint32_t> out;
  const auto visit = [&](std::uint32_t s) {
    if (!seen[s] && useful.completes[s]) seen[s] = true, out.push_back(s);
  };
  visit(draft.starts[root]);
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (const auto& e : draft.states[out[i]].edges) visit(e.to);
    for (const auto& c : draft.states[out[i]].calls)
      if (useful.has_text[c.rule] && useful.completes[c.back]) visit(draft.starts[c.rule]), visit(c.back);
  }
  return out;
}

// Bytes that no state tells apart get one class: first by intervals, then equal columns are joined.
void make_tables(const Draft& draft, const std::vector<std::uint32_t>& kept, const std::vector<std::int32_t>& names,
                 Automaton& out) {
  std::array<bool, 257> cut{};
  for (std::uint32_t s : kept)
    for (const auto& e : draft.states[s].edges) cut[e.first] = cut[e.last + 1u] = true;
  std::size_t n = 0;
  for (std::size_t b = 0; b < 256; ++b) {
    if (b && cut[b]) ++n;
    out.classes[b] = static_cast<std::uint8_t>(n);
  }
  ++n;
  std::vector<std::int32_t> wide(kept.size() * n, Automaton::kDead);
  std::vector<std::uint64_t> hashes(n);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    std::int32_t* row = &wide[i * n];
    for (const auto& e : draft.states[kept[i]].edges)
      for (std::size_t c = out.classes[e.first]; c <= out.classes[e.last]; ++c) row[c] = names[e.to];
    for (std::size_t c = 0; c < n; ++c)
      hashes[c] = (hashes[c] ^ static_cast<std::uint32_t>(row[c])) * 0x9e3779b97f4a7c15u + (hashes[c] >> 29);
  }
  std::vector<std::size_t> column(n), first;
  const auto equal = [&](std::size_t a, std::size_t b) {
    if (hashes[a] != hashes[b]) return false;
    for (std::size_t i = 0; i < kept.size(); ++i)
      if (wide[i * n + a] != wide[i * n + b]) return false;
    return true;
  };
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t k = 0;
    while (k < first.size() && !equal(first[k], c)) ++k;
    if (k == first.size()) first.push_back(c);
    column[c] = k;
  }
  for (auto& c : out.classes) c = static_cast<std::uint8_t>(column[c]);
  out.n_classes = first.size();
  out.next.resize(kept.size() * first.size());
  for (std::size_t i = 0; i < kept.size(); ++i)
    for (std::size_t k = 0; k < first.size(); ++k) out.next[i * first.size() + k] = wide[i * n + first[k]];
}

Automaton finish(const Draft& draft, std::uint32_t root) {
  const Completable useful(draft);
  LQ_CHECK(useful.has_text[root], Code::invalid_argument, "grammar: no text matches it");
  const auto kept = reachable(draft, useful, root);
  std::vector<std::int32_t> names(draft.states.size(), Automaton::kDead);
  for (std::size_t i = 0; i < kept.size(); ++i) names[kept[i]] = static_cast<std::int32_t>(i);
  Automaton out;
  out.root = root;
  for (std::uint32_t s : draft.starts) out.starts.push_back(static_cast<std::uint32_t>(std::max(names[s], 0)));
  for (std::uint32_t s : kept) {
    const Draft::State& from = draft.states[s];
    Automaton::State state;
    state.ends = from.ends;
    state.first_call = static_cast<std::uint32_t>(out.calls.size());
    for (const auto& c : from.calls)
      if (useful.has_text[c.rule] && useful.completes[c.back])
        out.calls.push_back({c.rule, static_cast<std::uint32_t>(names[c.back])});
    state.n_calls = static_cast<std::uint32_t>(out.calls.size()) - state.first_call;
    for (const auto& e : from.edges) state.bytes = state.bytes || useful.completes[e.to];
    out.states.push_back(state);
  }
  make_tables(draft, kept, names, out);
  return out;
}

}  // namespace

Automaton build_automaton(RuleSet rules) {
  RuleCompiler compiler(rules);
  Draft draft;
  std::size_t work = 0;
  for (std::uint32_t r = 0; r < rules.rules.size(); ++r)  // grows while it is compiled
    draft.starts.push_back(Subsets(compiler.compile(r), draft, work).run());
  return finish(draft, rules.root);
}

}  // namespace lq
