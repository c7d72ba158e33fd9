#include "schema_writer.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"

namespace lq::schema {
namespace {

Expr sequence(std::initializer_list<Expr> parts) { return Expr::sequence_of(parts); }

bool is_false(const Json* schema) { return schema->is_boolean() && !schema->get<bool>(); }

std::uint32_t limited(std::size_t n) {
  if (n == kAnyNumber) return Expr::kNoLimit;
  LQ_CHECK(n <= 1'000'000, Code::limit, "JSON Schema: a length of ", n, ", at most 1000000");
  return static_cast<std::uint32_t>(n);
}

bool same(const Dfa& a, const Dfa& b) {
  return std::equal(
      a.states.begin(), a.states.end(), b.states.begin(), b.states.end(),
      [](const Dfa::State& x, const Dfa::State& y) { return x.accepts == y.accepts && x.edges == y.edges; });
}

}  // namespace

std::uint32_t SchemaWriter::rule(Expr body, std::string name) {
  LQ_CHECK(out_.rules.size() < kMaxRules, Code::limit, "JSON Schema: it needs more than ", kMaxRules, " rules");
  out_.rules.push_back({std::move(name), std::move(body), true});
  return static_cast<std::uint32_t>(out_.rules.size() - 1);
}

std::uint32_t SchemaWriter::rule_of(const Conjunction& schemas) {
  const auto [at, is_new] = known_.try_emplace(schemas, 0u);
  if (is_new) {
    at->second = rule({});
    waiting_.emplace_back(schemas, at->second);
  }
  return at->second;
}

// Equal machines are one rule, so that their states' masks are made once.
std::uint32_t SchemaWriter::machine_rule(const Dfa& dfa, bool json) {
  for (const Machine& m : machines_)
    if (m.json == json && same(m.dfa, dfa)) return m.rule;
  const std::uint32_t made = rule(Expr::machine_of(dfa, json));
  if (machines_.size() < 100) machines_.push_back({dfa, json, made});
  return made;
}

RuleSet SchemaWriter::write() {
  CharSet blanks(' ', ' ');
  blanks.add('\t', '\t');
  const auto chars = [](char c) {
    return Expr::of(CharSet(static_cast<std::uint32_t>(c), static_cast<std::uint32_t>(c)));
  };
  space_ = rule(options_.compact ? Expr{}
                                 : Expr::choice_of({Expr{}, chars(' '),
                                                    sequence({Expr::repeat_of(chars('\n'), 1, 2),
                                                              Expr::repeat_of(Expr::of(blanks), 0, 40)})}));
  out_.root = rule_of({reader_.root()});
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const auto [schemas, at] = waiting_[i];
    Expr body = value(reader_.values(schemas));
    out_.rules[at].body = std::move(body);
  }
  return std::move(out_);
}

Expr SchemaWriter::value(const ValueSet& set) {
  std::vector<Expr> ways;
  if (set.null) ways.push_back(Expr::text("null"));
  if (set.yes) ways.push_back(Expr::text("true"));
  if (set.no) ways.push_back(Expr::text("false"));
  if (const Dfa numbers = as_written(set.numbers); !numbers.empty())
    ways.push_back(Expr::call_of(machine_rule(numbers, false)));
  if (set.texts) ways.push_back(text(*set.texts));
  for (const Arrays& a : set.arrays) ways.push_back(array(a));
  for (const Objects& o : set.objects) ways.push_back(object(o));
  return Expr::choice_of(std::move(ways));
}

Expr SchemaWriter::text(const Texts& texts) {
  const Expr quote = Expr::text("\"");
  if (texts.any() || texts.dfa) return sequence({quote, Expr::call_of(machine_rule(texts.as_dfa(), true)), quote});
  // Lengths alone are counted by repetition, which needs few states.
  Expr body = Expr::repeat_of(Expr::machine_of(Dfa::of_length(1, 1), true), limited(texts.min), limited(texts.max));
  return sequence({quote, std::move(body), quote});
}

Expr SchemaWriter::array(const Arrays& a) {
  const std::size_t prefix = std::max<std::size_t>(a.longest_prefix(), 1);
  const Expr comma = sequence({Expr::text(","), space()});
  const auto item = [&](std::size_t i) { return Expr::call_of(rule_of(a.at(i))); };
  const std::size_t min = a.min, max = a.max;
  const Expr close = sequence({space(), Expr::text("]")});
  const auto less = [](std::size_t n, std::size_t by) { return n == kAnyNumber ? n : n - std::min(n, by); };
  // What follows item i - 1, for i from the prefix's end down to 1; the rest is a repetition.
  Expr rest = sequence(
      {Expr::repeat_of(sequence({comma, item(prefix)}), limited(less(min, prefix)), limited(less(max, prefix))),
       close});
  for (std::size_t i = prefix; i-- > 1;) {
    std::vector<Expr> ways;
    if (i >= min) ways.push_back(close);
    if (i < max) ways.push_back(sequence({comma, item(i), Expr::call_of(rule(std::move(rest)))}));
    rest = Expr::choice_of(std::move(ways));
  }
  std::vector<Expr> ways;
  if (min == 0) ways.push_back(Expr::text("]"));
  if (max > 0) ways.push_back(sequence({item(0), std::move(rest)}));
  return sequence({Expr::text("["), space(), Expr::choice_of(std::move(ways))});
}

// The names that are not declared, divided by the patterns that match them; each cell has its own schemas.
std::vector<SchemaWriter::Member> SchemaWriter::others(const Objects& o, const std::vector<std::string>& declared) {
  struct Cell {
    Dfa names;
    std::vector<std::vector<bool>> matched;  // by part and pattern
  };
  std::vector<Expr> known;
  for (const std::string& name : declared) known.push_back(Expr::text(name));
  Dfa all = o.names ? *o.names : Dfa::any();
  if (!known.empty()) all = all.minus(to_dfa(Expr::choice_of(std::move(known))));
  std::vector<Cell> cells{{std::move(all), std::vector<std::vector<bool>>(o.parts.size())}};
  for (std::size_t p = 0; p < o.parts.size(); ++p)
    for (const auto& pattern : o.parts[p].patterns) {
      std::vector<Cell> next;
      for (const Cell& cell : cells)
        for (bool in : {true, false}) {
          Cell part{in ? cell.names.intersect(pattern.first) : cell.names.minus(pattern.first), cell.matched};
          part.matched[p].push_back(in);
          if (!part.names.empty()) next.push_back(std::move(part));
        }
      LQ_CHECK(next.size() <= 64, Code::limit, "JSON Schema: patternProperties that overlap in more than 64 ways");
      cells = std::move(next);
    }
  std::vector<Member> out;
  for (const Cell& cell : cells) {
    if (cell.names.empty()) continue;
    Conjunction schemas;
    for (std::size_t p = 0; p < o.parts.size(); ++p) {
      const Objects::Part& part = o.parts[p];
      bool any = false;
      for (std::size_t i = 0; i < part.patterns.size(); ++i)
        if (cell.matched[p][i]) any = true, add_to(schemas, part.patterns[i].second);
      if (any) continue;
      if (part.rest) add_to(schemas, part.rest);
    }
    if (std::any_of(schemas.begin(), schemas.end(), is_false)) continue;
    out.push_back({text({0, kAnyNumber, cell.names}), rule_of(schemas), false});
  }
  return out;
}

Expr SchemaWriter::object(const Objects& o) {
  const std::vector<std::string> names = o.declared();
  std::vector<Member> declared;
  for (const std::string& name : names) {
    const Conjunction schemas = o.of(name);
    const bool never = (o.names && !o.names->accepts(name)) || std::any_of(schemas.begin(), schemas.end(), is_false);
    const bool required = o.requires_name(name);
    if (never && required) return Expr::choice_of({});
    if (!never) declared.push_back({text({0, kAnyNumber, Dfa::of_text(name)}), rule_of(schemas), required});
  }
  return members(declared, others(o, names), o);
}

// Rules "what follows after the declared members before i, of which (with the others) c have been written": a count
// tells whether a comma is needed, and goes on only as far as min and max ask.
Expr SchemaWriter::members(const std::vector<Member>& declared, const std::vector<Member>& others, const Objects& o) {
  const bool limited_above = o.max != kAnyNumber;
  const std::size_t counts = limited_above ? o.max : std::max<std::size_t>(o.min, 1);
  LQ_CHECK(counts <= 2000, Code::limit, "JSON Schema: minProperties or maxProperties over 2000");
  const auto after = [&](std::size_t c) { return limited_above ? c + 1 : std::min(c + 1, counts); };
  const auto write = [&](const Member& m, std::size_t c, std::uint32_t next) {
    Expr comma = c == 0 ? Expr{} : sequence({Expr::text(","), space()});
    return sequence({std::move(comma), m.name, Expr::text(":"), space(), Expr::call_of(m.value), Expr::call_of(next)});
  };
  std::vector<std::uint32_t> next(counts + 1), here(counts + 1);
  for (std::size_t c = 0; c <= counts; ++c) next[c] = rule({});
  for (std::size_t c = 0; c <= counts; ++c) {
    std::vector<Expr> ways;
    if (c >= o.min) ways.push_back(c == 0 ? Expr::text("}") : sequence({space(), Expr::text("}")}));
    if (!limited_above || c < counts)
      for (const Member& m : others) ways.push_back(write(m, c, next[after(c)]));
    out_.rules[next[c]].body = Expr::choice_of(std::move(ways));
  }
  for (std::size_t i = declared.size(); i-- > 0;) {
    for (std::size_t c = 0; c <= std::min(i, counts); ++c) {
      std::vector<Expr> ways;
      if (!limited_above || c < counts) ways.push_back(write(declared[i], c, next[after(c)]));
      if (!declared[i].required) ways.push_back(Expr::call_of(next[c]));
      here[c] = rule(Expr::choice_of(std::move(ways)));
    }
    next = here;
  }
  return sequence({Expr::text("{"), space(), Expr::call_of(next[0])});
}

}  // namespace lq::schema
