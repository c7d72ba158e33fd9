#include "value_set.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"

namespace lq::schema {
namespace {

constexpr std::size_t kMostAlternatives = 1000;

Texts intersect_texts(const Texts& a, const Texts& b) {
  Texts out{std::max(a.min, b.min), std::min(a.max, b.max), a.dfa ? a.dfa : b.dfa};
  if (a.dfa && b.dfa) out.dfa = a.dfa->intersect(*b.dfa);
  return out;
}

std::optional<Texts> from_dfa(Dfa dfa) {
  if (dfa.empty()) return std::nullopt;
  return Texts{0, kAnyNumber, std::move(dfa)};
}

Arrays intersect_arrays(const Arrays& a, const Arrays& b) {
  Arrays out = a;
  out.parts.insert(out.parts.end(), b.parts.begin(), b.parts.end());
  out.min = std::max(a.min, b.min);
  out.max = std::min(a.max, b.max);
  return out;
}

Objects intersect_objects(const Objects& a, const Objects& b) {
  Objects out = a;
  out.parts.insert(out.parts.end(), b.parts.begin(), b.parts.end());
  for (const std::string& name : b.required) out.require(name);
  out.min = std::max(a.min, b.min);
  out.max = std::min(a.max, b.max);
  if (b.names) out.names = out.names ? out.names->intersect(*b.names) : *b.names;
  return out;
}

template <class Shape, class Fn>
std::vector<Shape> pairs(const std::vector<Shape>& a, const std::vector<Shape>& b, Fn intersect) {
  LQ_CHECK(a.size() * b.size() <= kMostAlternatives, Code::limit, "JSON Schema: more than ", kMostAlternatives,
           " alternatives of one value");
  std::vector<Shape> out;
  for (const Shape& x : a)
    for (const Shape& y : b) {
      Shape both = intersect(x, y);
      if (both.min <= both.max) out.push_back(std::move(both));
    }
  return out;
}

template <class Shape>
std::vector<Shape> together(const std::vector<Shape>& a, const std::vector<Shape>& b) {
  const auto any = [](const Shape& s) { return s.any(); };
  if (std::any_of(a.begin(), a.end(), any)) return {Shape{}};
  if (std::any_of(b.begin(), b.end(), any)) return {Shape{}};
  LQ_CHECK(a.size() + b.size() <= kMostAlternatives, Code::limit, "JSON Schema: more than ", kMostAlternatives,
           " alternatives of one value");
  std::vector<Shape> out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

}  // namespace

void add_to(Conjunction& all, const Json* schema) {
  const auto at = std::lower_bound(all.begin(), all.end(), schema);
  if (at == all.end() || *at != schema) all.insert(at, schema);
}

Dfa Texts::as_dfa() const {
  const Dfa lengths = min == 0 && max == kAnyNumber ? Dfa::any() : Dfa::of_length(min, max);
  return dfa ? dfa->intersect(lengths) : lengths;
}

std::size_t Arrays::longest_prefix() const {
  std::size_t n = 0;
  for (const Part& p : parts) n = std::max(n, p.prefix.size());
  return n;
}

Conjunction Arrays::at(std::size_t index) const {
  Conjunction out;
  for (const Part& p : parts) {
    const Json* schema = index < p.prefix.size() ? p.prefix[index] : p.rest;
    if (schema) add_to(out, schema);
  }
  return out;
}

void Objects::require(const std::string& name) {
  if (!requires_name(name)) required.push_back(name);
}

bool Objects::requires_name(const std::string& name) const {
  return std::find(required.begin(), required.end(), name) != required.end();
}

Conjunction Objects::of(const std::string& name) const {
  Conjunction out;
  for (const Part& p : parts) {
    bool known = false;
    for (const auto& [property, schema] : p.properties)
      if (property == name) known = true, add_to(out, schema);
    for (const auto& [pattern, schema] : p.patterns)
      if (pattern.accepts(name)) known = true, add_to(out, schema);
    if (!known && p.rest) add_to(out, p.rest);
  }
  return out;
}

std::vector<std::string> Objects::declared() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  };
  for (const Part& p : parts)
    for (const auto& property : p.properties) add(property.first);
  for (const std::string& name : required) add(name);
  return out;
}

ValueSet ValueSet::all() {
  ValueSet out;
  out.null = out.yes = out.no = true;
  out.numbers = all_numbers();
  out.texts.emplace();
  out.arrays.emplace_back();
  out.objects.emplace_back();
  return out;
}

ValueSet ValueSet::of_type(std::string_view type) {
  ValueSet out;
  if (type == "null")
    out.null = true;
  else if (type == "boolean")
    out.yes = out.no = true;
  else if (type == "number")
    out.numbers = all_numbers();
  else if (type == "integer")
    out.numbers = integers();
  else if (type == "string")
    out.texts.emplace();
  else if (type == "array")
    out.arrays.emplace_back();
  else if (type == "object")
    out.objects.emplace_back();
  else
    fail(Code::invalid_argument, "JSON Schema: there is no type '", type, "'");
  return out;
}

bool ValueSet::all_arrays() const {
  return std::any_of(arrays.begin(), arrays.end(), [](const Arrays& a) { return a.any(); });
}

bool ValueSet::all_objects() const {
  return std::any_of(objects.begin(), objects.end(), [](const Objects& o) { return o.any(); });
}

ValueSet ValueSet::intersect(const ValueSet& other) const {
  ValueSet out;
  out.null = null && other.null;
  out.yes = yes && other.yes;
  out.no = no && other.no;
  out.numbers = numbers.intersect(other.numbers);
  if (texts && other.texts) out.texts = intersect_texts(*texts, *other.texts);
  if (out.texts && out.texts->empty()) out.texts.reset();
  out.arrays = pairs(arrays, other.arrays, intersect_arrays);
  out.objects = pairs(objects, other.objects, intersect_objects);
  return out;
}

ValueSet ValueSet::unite(const ValueSet& other) const {
  ValueSet out = *this;
  out.null = null || other.null;
  out.yes = yes || other.yes;
  out.no = no || other.no;
  out.numbers = numbers.unite(other.numbers);
  if (!texts)
    out.texts = other.texts;
  else if (other.texts && !texts->any())
    out.texts = other.texts->any() ? other.texts : from_dfa(texts->as_dfa().unite(other.texts->as_dfa()));
  out.arrays = together(arrays, other.arrays);
  out.objects = together(objects, other.objects);
  return out;
}

ValueSet ValueSet::minus_scalars(const ValueSet& other) const {
  ValueSet out = *this;
  out.null = null && !other.null;
  out.yes = yes && !other.yes;
  out.no = no && !other.no;
  // Sets without exponents know all other ways to write their numbers, so only those are subtracted.
  if (!other.numbers.empty()) out.numbers = numbers.intersect(plain_numbers()).minus(other.numbers);
  if (texts && other.texts)
    out.texts = other.texts->any() ? std::nullopt : from_dfa(texts->as_dfa().minus(other.texts->as_dfa()));
  return out;
}

}  // namespace lq::schema
