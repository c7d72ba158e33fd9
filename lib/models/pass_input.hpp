// What a forward pass may be asked for. Private to lib/models.
#pragma once

#include <span>

#include "loquor/models/decoder.hpp"

namespace lq {

struct PassLimits {
  std::size_t rows, logits, context, scores;
};

// Throws Error{invalid_argument|context_full} unless a pass of this model, with room for so much, can take the batch.
void check_batch(std::span<const PassSegment> batch, const HeadChoice& choice, const Decoder& model,
                 const PassLimits& most);

}  // namespace lq
