// The values a schema allows, split by type: what intersection, union and complement are computed on. Children of
// arrays and objects stay schemas (by their place in the document), which is what lets a schema be recursive.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "number_texts.hpp"

namespace lq::schema {

// Schemas that a value must all satisfy, by address: sorted, without duplicates. Empty: any value.
using Conjunction = std::vector<const Json*>;
void add_to(Conjunction& all, const Json* schema);

constexpr std::size_t kAnyNumber = SIZE_MAX;

struct Texts {
  std::size_t min = 0, max = kAnyNumber;  // code points
  std::optional<Dfa> dfa;                 // none: any
  bool any() const { return !dfa && min == 0 && max == kAnyNumber; }
  bool empty() const { return min > max || (dfa && dfa->empty()); }
  Dfa as_dfa() const;
};

// Arrays, as one or more schemas describe them; each must hold.
struct Arrays {
  struct Part {
    std::vector<const Json*> prefix;
    const Json* rest = nullptr;  // of the items behind the prefix; nullptr: any
  };
  std::vector<Part> parts;
  std::size_t min = 0, max = kAnyNumber;
  bool any() const { return parts.empty() && min == 0 && max == kAnyNumber; }
  std::size_t longest_prefix() const;
  Conjunction at(std::size_t index) const;
};

struct Objects {
  struct Part {
    std::vector<std::pair<std::string, const Json*>> properties;
    std::vector<std::pair<Dfa, const Json*>> patterns;  // texts of names
    const Json* rest = nullptr;                         // of names that none of those has; nullptr: any
  };
  std::vector<Part> parts;
  std::vector<std::string> required;
  std::optional<Dfa> names;  // none: any
  std::size_t min = 0, max = kAnyNumber;
  bool any() const { return parts.empty() && required.empty() && !names && min == 0 && max == kAnyNumber; }
  void require(const std::string& name);
  bool requires_name(const std::string& name) const;
  Conjunction of(const std::string& name) const;
  std::vector<std::string> declared() const;  // names of properties and of what is required, in their order
};

struct ValueSet {
  bool null = false, yes = false, no = false;
  Dfa numbers;                 // texts
  std::optional<Texts> texts;  // none: no strings
  std::vector<Arrays> arrays;  // any of them
  std::vector<Objects> objects;

  static ValueSet all();
  static ValueSet of_type(std::string_view type);  // throws Error{invalid_argument}
  bool empty() const { return !null && !yes && !no && numbers.empty() && !texts && arrays.empty() && objects.empty(); }
  bool only_scalars() const { return arrays.empty() && objects.empty(); }
  bool all_arrays() const;
  bool all_objects() const;

  ValueSet intersect(const ValueSet& other) const;  // throws Error{limit} for too many alternatives
  ValueSet unite(const ValueSet& other) const;
  // The scalars that are not in `other`; arrays and objects as they are.
  ValueSet minus_scalars(const ValueSet& other) const;
};

}  // namespace lq::schema
