/* Part of loquor.h: attention scores to look at. */
#ifndef LOQUOR_LQ_ATTENTION_H
#define LOQUOR_LQ_ATTENTION_H

#include "lq_model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the heads of the layers [first_layer, first_layer + n_layers) weigh the tokens of a text: probabilities,
 * (n_layers, n_head, n_tokens, n_tokens) floats in `out`, of which there is room for `capacity`; `count` (may be NULL)
 * becomes how many are needed. With `out` NULL and `capacity` 0 only that. Row i of a head is token i's: its weights of
 * the tokens it sees sum to 1, the others are 0. `n_layers` 0: all from `first_layer` on. Of language models (each
 * token sees itself and those before) and text encoders (all). Uses the context's threads. Errors: INVALID_ARGUMENT for
 * layers or tokens that are none, and for texts of no token, of more than 4096 or than the model has positions;
 * UNSUPPORTED for a model of which only the vocabulary is loaded; BUFFER_TOO_SMALL, OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_attention_scores(float* out, size_t capacity, size_t* count, const lq_model* model,
                                     const int32_t* tokens, size_t n_tokens, uint32_t first_layer,
                                     uint32_t n_layers) LQ_NOEXCEPT;

/* How many layers and heads there are. Errors: UNSUPPORTED as above. Threads: any. */
LQ_API lq_status lq_attention_shape(uint32_t* n_layer, uint32_t* n_head, const lq_model* model) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
