// A generation's place in its grammar, and the choice of tokens that the grammar allows. One user at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "loquor/generate/sampler.hpp"
#include "loquor/grammar/matcher.hpp"
#include "loquor/grammar/token_masks.hpp"
#include "loquor/text/tokenizer.hpp"

namespace lq {

class Constrained {
 public:
  // `stops` end the generation where the text is whole; so do the tokenizer's own, unless ignore_end.
  Constrained(std::shared_ptr<const TokenMasks> masks, std::shared_ptr<const Tokenizer> tokenizer,
              std::span<const std::int32_t> stops, bool ignore_end);

  // The sampler's choice among what is allowed. Throws as the sampler, Error{unsupported} if no token of the vocabulary
  // can go on with the text, Error{limit} if the text can be read in too many ways.
  std::int32_t choose(Sampler& sampler, const LogitsRow& logits, std::span<const std::int32_t> history);
  void accept(std::int32_t token);
  // Nothing can follow.
  bool finished() const noexcept { return matcher_.can_end() && !matcher_.can_go_on(); }
  // The tokens of the text that alone can follow, up to 64 bytes; often none.
  std::vector<std::int32_t> forced();

 private:
  bool is_end(std::int32_t token) const noexcept;
  bool allows(std::int32_t token);

  std::shared_ptr<const TokenMasks> masks_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::int32_t> ends_;
  Matcher matcher_;
  std::vector<float> allowed_;  // the logits, -infinity where the token is not allowed
};

}  // namespace lq
