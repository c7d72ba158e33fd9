#include "rule_nfa.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kCopiedSize = 48;    // a rule larger than this is called, not copied
constexpr std::uint32_t kBlock = 32;       // repetitions are cut into blocks of so many
constexpr std::uint32_t kFewRepeats = 64;  // unless there are no more than these
constexpr std::uint64_t kLargeSet = 64;    // code points

void collect_calls(const Expr& e, std::vector<std::uint32_t>& out) {
  if (e.kind == Expr::Kind::call) out.push_back(e.rule);
  for (const Expr& child : e.children) collect_calls(child, out);
}

}  // namespace

CallOrder order_calls(const RuleSet& rules) {
  const std::size_t n = rules.rules.size();
  constexpr std::uint32_t kNew = UINT32_MAX;
  std::vector<std::vector<std::uint32_t>> calls(n);
  for (std::size_t r = 0; r < n; ++r) collect_calls(rules.rules[r].body, calls[r]);
  CallOrder out;
  out.recursive.resize(n);
  std::vector<std::uint32_t> index(n, kNew), low(n), component;
  std::vector<bool> open(n);
  struct Frame {
    std::uint32_t rule;
    std::size_t call;
  };
  std::vector<Frame> frames;
  std::uint32_t counter = 0;
  const auto enter = [&](std::uint32_t r) {
    index[r] = low[r] = counter++;
    component.push_back(r);
    open[r] = true;
    frames.push_back({r, 0});
  };
  const auto leave = [&](std::uint32_t r) {
    if (low[r] != index[r]) return;
    const bool several = component.back() != r;
    for (std::uint32_t member = kNew; member != r;) {
      member = component.back();
      component.pop_back();
      open[member] = false;
      out.order.push_back(member);
      if (several) out.recursive[member] = true;
    }
  };
  for (std::uint32_t first = 0; first < n; ++first) {
    if (index[first] != kNew) continue;
    enter(first);
    while (!frames.empty()) {
      Frame& f = frames.back();
      const std::uint32_t rule = f.rule;
      if (f.call == calls[rule].size()) {
        frames.pop_back();
        if (!frames.empty()) low[frames.back().rule] = std::min(low[frames.back().rule], low[rule]);
        leave(rule);
        continue;
      }
      const std::uint32_t callee = calls[rule][f.call++];
      if (callee == rule) out.recursive[rule] = true;
      if (index[callee] == kNew)
        enter(callee);
      else if (open[callee])
        low[rule] = std::min(low[rule], index[callee]);
    }
  }
  return out;
}

RuleCompiler::RuleCompiler(RuleSet& rules) : rules_(rules) { plan(); }

// A loop over many characters, as in a string: its states have large masks, which are better made once than in each
// copy.
bool RuleCompiler::lingers(const Expr& e) const {
  if (e.kind == Expr::Kind::machine || e.kind == Expr::Kind::json_machine) return true;
  if (e.kind == Expr::Kind::repeat && e.max > kBlock) {
    const Expr& child = e.children[0];
    if (child.kind != Expr::Kind::chars || child.chars.size() > kLargeSet) return true;
  }
  return std::any_of(e.children.begin(), e.children.end(), [this](const Expr& child) { return lingers(child); });
}

std::size_t RuleCompiler::size_of(const Expr& e) const {
  const auto product = [](std::size_t a, std::size_t b) { return a && b > SIZE_MAX / 4 / a ? SIZE_MAX / 4 : a * b; };
  std::size_t n = 1;
  switch (e.kind) {
    case Expr::Kind::chars:
      return 1 + e.chars.ranges().size();
    case Expr::Kind::call:
      return plans_[e.rule].copied ? plans_[e.rule].size : 1;
    case Expr::Kind::machine:
    case Expr::Kind::json_machine:
      return product(e.dfa->states.size(), 16);
    case Expr::Kind::repeat:
      return product(size_of(e.children[0]), e.max == Expr::kNoLimit ? std::size_t{e.min} + 1 : e.max);
    default:
      for (const Expr& child : e.children) n = std::min(n + size_of(child), SIZE_MAX / 4);
      return n;
  }
}

void RuleCompiler::plan() {
  const CallOrder calls = order_calls(rules_);
  plans_.resize(rules_.rules.size());
  for (std::uint32_t r : calls.order) {
    const Rule& rule = rules_.rules[r];
    plans_[r].size = size_of(rule.body);
    plans_[r].copied = !rule.shared && !calls.recursive[r] && plans_[r].size <= kCopiedSize && !lingers(rule.body);
  }
}

std::uint32_t RuleCompiler::helper(Expr body) {
  rules_.rules.push_back({{}, std::move(body), true});
  plans_.push_back({});
  return static_cast<std::uint32_t>(rules_.rules.size() - 1);
}

ByteNfa RuleCompiler::compile(std::uint32_t rule) {
  nfa_ = {};
  const Expr body = rules_.rules[rule].body;  // a copy: helpers move the rules
  add(body, 0, 1);
  return std::move(nfa_);
}

void RuleCompiler::add_exactly(const Expr& child, std::uint32_t n, std::uint32_t from, std::uint32_t to) {
  if (n > kFewRepeats) {
    const std::uint32_t block = helper(Expr::repeat_of(child, kBlock, kBlock));
    const std::uint32_t middle = next();
    add_exactly(Expr::call_of(block), n / kBlock, from, middle);
    from = middle;
    n %= kBlock;
  }
  for (; n; --n) {
    const std::uint32_t at = next();
    add(child, from, at);
    from = at;
  }
  nfa_.add_empty(from, to);
}

// For more than a few: q - 1 blocks at most and less than a block after them, or q blocks and at most the rest of n.
void RuleCompiler::add_up_to(const Expr& child, std::uint32_t n, std::uint32_t from, std::uint32_t to) {
  if (n > kFewRepeats) {
    const std::uint32_t q = n / kBlock;
    const Expr block = Expr::call_of(helper(Expr::repeat_of(child, kBlock, kBlock)));
    const Expr less = Expr::call_of(helper(Expr::repeat_of(child, 0, kBlock - 1)));
    const std::uint32_t blocks = next(), all = next();
    add_up_to(block, q - 1, from, blocks);
    add(less, blocks, to);
    add_exactly(block, q, from, all);
    return add_up_to(child, n % kBlock, all, to);
  }
  for (; n; --n) {
    const std::uint32_t at = next();
    nfa_.add_empty(from, to);
    add(child, from, at);
    from = at;
  }
  nfa_.add_empty(from, to);
}

void RuleCompiler::add(const Expr& e, std::uint32_t from, std::uint32_t to) {
  switch (e.kind) {
    case Expr::Kind::chars:
      for (const CharSet::Range& r : e.chars.ranges()) nfa_.add_utf8(from, r.first, r.last, to);
      return;
    case Expr::Kind::call:
      if (plans_[e.rule].copied) {
        // States of its own at both ends, as for a branch of a choice.
        const std::uint32_t first = next(), last = next();
        nfa_.add_empty(from, first);
        const Expr body = rules_.rules[e.rule].body;
        add(body, first, last);
        return nfa_.add_empty(last, to);
      }
      return nfa_.add_call(from, e.rule, to);
    case Expr::Kind::machine:
    case Expr::Kind::json_machine:
      return nfa_.add_machine(*e.dfa, e.kind == Expr::Kind::json_machine, from, to);
    case Expr::Kind::sequence:
      for (const Expr& child : e.children) {
        const std::uint32_t at = next();
        add(child, from, at);
        from = at;
      }
      return nfa_.add_empty(from, to);
    case Expr::Kind::choice:
      for (const Expr& child : e.children) {
        const std::uint32_t first = next(), last = next();
        nfa_.add_empty(from, first);
        add(child, first, last);
        nfa_.add_empty(last, to);
      }
      return;
    case Expr::Kind::repeat: {
      const std::uint32_t least = next();
      add_exactly(e.children[0], e.min, from, least);
      if (e.max != Expr::kNoLimit) return add_up_to(e.children[0], e.max - e.min, least, to);
      const std::uint32_t loop = next();
      nfa_.add_empty(least, loop);
      add(e.children[0], loop, loop);
      return nfa_.add_empty(loop, to);
    }
  }
}

}  // namespace lq
