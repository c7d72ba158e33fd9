// From a schema's keywords to the values they allow. What is not understood is refused by name.
#pragma once

#include <deque>
#include <set>

#include "value_set.hpp"

namespace lq::schema {

class SchemaReader {
 public:
  // `closed`: see SchemaOptions.
  SchemaReader(const Json& document, bool closed);
  // The values that satisfy all of the schemas.
  ValueSet values(const Conjunction& schemas);
  const Json* root() const noexcept { return &document_; }

 private:
  static constexpr int kDepth = 48;
  struct Deeper;

  ValueSet values(const Json& schema);
  void one_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out);
  bool number_keyword(const std::string& key, const Json& value, ValueSet& out);
  bool text_keyword(const std::string& key, const Json& value, ValueSet& out);
  bool array_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out);
  bool object_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out);
  bool combining_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out);
  ValueSet of_types(const Json& type);
  ValueSet of_value(const Json& value);
  ValueSet of_values(const Json& list);
  ValueSet one_of(const Json& list);
  ValueSet complement(const ValueSet& set, std::string_view keyword);
  ValueSet if_then_else(const Json& schema);
  void dependent(const Json& value, bool schemas, ValueSet& out);
  const Json* resolve(const Json& reference);
  const Json* constant(Json schema);
  bool disjoint(const Arrays& a, const Arrays& b);
  bool disjoint(const Objects& a, const Objects& b);
  bool impossible(const Conjunction& schemas);
  std::string where(const Json& schema) const;
  [[noreturn]] void malformed(const Json& schema, std::string_view key, std::string_view expected) const;

  const Json& document_;
  bool closed_;
  std::deque<Json> constants_;  // schemas made here, for parts of constants
  int depth_ = 0;
  std::set<const Json*> open_references_;
};

}  // namespace lq::schema
