#pragma once

#include "base.hpp"
#include "loquor/grammar/grammar.hpp"

namespace lq::capi {

struct GrammarObject final : Object {
  static constexpr Kind kKind = Kind::grammar;
  explicit GrammarObject(std::shared_ptr<const Grammar> g) : Object(kKind), grammar(std::move(g)) {}
  std::shared_ptr<const Grammar> grammar;
};

}  // namespace lq::capi
