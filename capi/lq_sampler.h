/* Part of loquor.h: how the next token is chosen. */
#ifndef LOQUOR_LQ_SAMPLER_H
#define LOQUOR_LQ_SAMPLER_H

#include "lq_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A chain of stages, run in the order they were added; after the last one a token is drawn from what is left (or the
 * best one taken, after "greedy"). An empty chain is greedy. Draws depend on the seed and on the token's position in
 * the session only: the same seed and input give the same tokens, whatever the threads and the batch. */
typedef struct lq_sampler lq_sampler;

/* Threads: any. */
LQ_API lq_status lq_sampler_create(lq_sampler** out) LQ_NOEXCEPT;

LQ_API void lq_sampler_free(lq_sampler* sampler) LQ_NOEXCEPT;

/* A copy that shares nothing with the original but the callbacks' user pointers. Threads: one. */
LQ_API lq_status lq_sampler_clone(lq_sampler** out, const lq_sampler* sampler) LQ_NOEXCEPT;

/* Appends a stage by name:
 *   "greedy"             value ignored: takes the token with the largest logit, the smaller id on a tie
 *   "temperature"        >= 0: divides the logits; 0 is "greedy"
 *   "top_k"              >= 0: keeps the k largest; 0 keeps all
 *   "top_p"              in (0, 1]: keeps the smallest set of largest probabilities that sums to p or more
 *   "min_p"              in [0, 1]: keeps what is at least p times as probable as the best
 *   "typical_p"          in (0, 1]: locally typical sampling (Meister et al. 2022)
 *   "repeat_penalty"     > 0: divides positive and multiplies negative logits of recent tokens (Keskar et al. 2019); a
 *                        second value says how many tokens are recent (64; -1 = all)
 *   "frequency_penalty"  subtracted once for each occurrence among recent tokens; second value as above
 *   "presence_penalty"   subtracted once from each recent token; second value as above
 * Errors: NOT_FOUND for another name (the message lists those known), INVALID_ARGUMENT for NaN or a value out of range.
 * Threads: one. */
LQ_API lq_status lq_sampler_add(lq_sampler* sampler, const char* name, double value) LQ_NOEXCEPT;

/* The same for a stage that takes several values. */
LQ_API lq_status lq_sampler_add_values(lq_sampler* sampler, const char* name, const double* values,
                                       size_t count) LQ_NOEXCEPT;

/* The names that lq_sampler_add knows, separated by commas. Threads: any. */
LQ_API lq_status lq_sampler_names(char* out, size_t capacity, size_t* length) LQ_NOEXCEPT;

typedef struct lq_candidate {
  int32_t token;
  float logit;
} lq_candidate;

/* A stage of the host. `candidates` holds *count entries in no particular order; the stage may change logits, reorder,
 * and lower *count (not to 0) after moving what it keeps to the front. `history` holds the tokens of the session so
 * far. A non-zero return stops the generation: LQ_ERR_CANCELLED. */
typedef int (*lq_sampler_fn)(lq_candidate* candidates, size_t* count, const int32_t* history, size_t history_count,
                             void* user);

/* Threads: one. The callback runs on the thread that generates. */
LQ_API lq_status lq_sampler_add_callback(lq_sampler* sampler, lq_sampler_fn callback, void* user) LQ_NOEXCEPT;

/* Adds bias[i] to the logit of tokens[i] before the first stage, in this and every later draw; -INFINITY forbids a
 * token, 0 removes an earlier bias. Errors: INVALID_ARGUMENT for NaN or a negative id (an id outside the vocabulary is
 * reported when the sampler meets a model). Threads: one. */
LQ_API lq_status lq_sampler_bias(lq_sampler* sampler, const int32_t* tokens, const float* bias,
                                 size_t count) LQ_NOEXCEPT;

/* The seed of the draws; 0 before the first call. Threads: one. */
LQ_API lq_status lq_sampler_seed(lq_sampler* sampler, uint64_t seed) LQ_NOEXCEPT;

/* Runs the chain on logits of the host's own: n_vocab floats, unchanged. `position` numbers the draw. Errors:
 * INVALID_ARGUMENT if no logit is finite. Threads: one. */
LQ_API lq_status lq_sampler_sample(int32_t* out, lq_sampler* sampler, const float* logits, size_t n_vocab,
                                   const int32_t* history, size_t history_count, uint64_t position) LQ_NOEXCEPT;

/* The message of the last call that failed on this sampler; "" if none. Threads: any. */
LQ_API lq_status lq_sampler_error(char* out, size_t capacity, size_t* length, const lq_sampler* sampler) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
