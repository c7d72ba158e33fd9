#include "loquor/grammar/grammar.hpp"

#include "loquor/core/status.hpp"
#include "loquor/grammar/matcher.hpp"

namespace lq {

std::shared_ptr<const Grammar> Grammar::from_choices(std::span<const std::string> choices) {
  LQ_CHECK(!choices.empty(), Code::invalid_argument, "grammar: no choices");
  std::vector<Expr> branches;
  for (const std::string& choice : choices) {
    LQ_CHECK(!choice.empty(), Code::invalid_argument, "grammar: a choice is empty");
    branches.push_back(Expr::text(choice));
  }
  return std::make_shared<const Grammar>(RuleSet{{{"root", Expr::choice_of(std::move(branches))}}, 0});
}

bool Grammar::accepts(std::string_view text) const {
  Matcher matcher(automaton_);
  return matcher.push(text) && matcher.can_end();
}

}  // namespace lq
