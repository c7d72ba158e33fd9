// From the values a schema allows to rules that write them as JSON. Objects have their declared properties in the order
// of the schema, then the others.
#pragma once

#include <map>

#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/rules.hpp"
#include "schema_reader.hpp"

namespace lq::schema {

class SchemaWriter {
 public:
  SchemaWriter(const Json& document, const SchemaOptions& options)
      : reader_(document, options.closed), options_(options) {}
  RuleSet write();

 private:
  static constexpr std::size_t kMaxRules = 50'000;

  struct Member {
    Expr name;  // with its quotes
    std::uint32_t value;
    bool required;
  };
  std::uint32_t rule(Expr body, std::string name = {});
  std::uint32_t rule_of(const Conjunction& schemas);
  std::uint32_t machine_rule(const Dfa& dfa, bool json);
  Expr value(const ValueSet& set);
  Expr text(const Texts& texts);
  Expr array(const Arrays& a);
  Expr object(const Objects& o);
  std::vector<Member> others(const Objects& o, const std::vector<std::string>& declared);
  Expr members(const std::vector<Member>& declared, const std::vector<Member>& others, const Objects& o);
  Expr space() const { return Expr::call_of(space_); }

  SchemaReader reader_;
  SchemaOptions options_;
  RuleSet out_;
  std::uint32_t space_ = 0;
  std::map<Conjunction, std::uint32_t> known_;
  std::vector<std::pair<Conjunction, std::uint32_t>> waiting_;
  struct Machine {
    Dfa dfa;
    bool json;
    std::uint32_t rule;
  };
  std::vector<Machine> machines_;
};

}  // namespace lq::schema
