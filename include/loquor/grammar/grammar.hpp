// Grammars from their written forms. Immutable and shareable between threads.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "loquor/grammar/automaton.hpp"

namespace lq {

struct SchemaOptions {
  bool compact = false;  // no white space at all; else a space, or up to two line ends with up to 40 spaces or tabs
  bool closed = false;   // a schema with "properties" and no word on additionalProperties allows no others
};

class Grammar {
 public:
  // All throw Error{invalid_argument} for what is malformed or matches no text, Error{unsupported}, naming it, for what
  // a newer or larger language would allow, Error{limit} for what is too large or nested too deeply.

  // GBNF, the notation of llama.cpp (grammars/README.md there). Left recursion is allowed. One
  // addition: %json{...} stands for JSON of the schema in the braces.
  static std::shared_ptr<const Grammar> from_gbnf(std::string_view text, std::string_view root = "root");
  // A JSON Schema, draft 2020-12: see docs/constrained.md for what is understood; nothing else is ignored.
  static std::shared_ptr<const Grammar> from_json_schema(std::string_view schema, const SchemaOptions& options = {});
  // A regular expression for the whole text: ECMAScript's notation without look-around and back-references.
  static std::shared_ptr<const Grammar> from_regex(std::string_view pattern);
  // One of these texts, which must not be empty.
  static std::shared_ptr<const Grammar> from_choices(std::span<const std::string> choices);

  explicit Grammar(RuleSet rules) : automaton_(std::make_shared<const Automaton>(build_automaton(std::move(rules)))) {}
  const std::shared_ptr<const Automaton>& automaton() const noexcept { return automaton_; }
  bool accepts(std::string_view text) const;
  std::size_t bytes() const noexcept { return automaton_->bytes(); }

 private:
  std::shared_ptr<const Automaton> automaton_;
};

}  // namespace lq
