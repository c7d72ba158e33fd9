/* Part of loquor.h: text encoders, which make one vector of each text. */
#ifndef LOQUOR_LQ_EMBED_H
#define LOQUOR_LQ_EMBED_H

#include "lq_model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The workspace in which a text encoder (architecture "bert": BERT, DistilBERT, the sentence-transformers made of them)
 * makes vectors of texts. */
typedef struct lq_embedder lq_embedder;

typedef struct lq_embedder_options {
  uint32_t struct_size;
  uint32_t max_tokens;   /* longer texts are cut, the tokens around each text included; 0 = as the model says */
  uint32_t batch_tokens; /* about how many tokens are computed at once, which decides its memory; 0 = 1024 */
  int32_t raw;           /* non-zero: vectors as they come, not of length 1 */
  const char* pooling;   /* "mean", "cls" or "last"; NULL or "" = as the model says */
} lq_embedder_options;

#define LQ_EMBEDDER_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_embedder_options), 0, 0, 0, NULL }

/* Errors: UNSUPPORTED for a model that is no text encoder, INVALID_ARGUMENT, OUT_OF_MEMORY. The embedder keeps the
 * model alive. Threads: any. */
LQ_API lq_status lq_embedder_create(lq_embedder** out, lq_model* model, const lq_embedder_options* options) LQ_NOEXCEPT;

LQ_API void lq_embedder_free(lq_embedder* embedder) LQ_NOEXCEPT;

/* How long vectors are. Threads: any. */
LQ_API lq_status lq_embedder_dimension(uint32_t* out, const lq_embedder* embedder) LQ_NOEXCEPT;

/* The most tokens of a text that are used. Threads: any. */
LQ_API lq_status lq_embedder_max_tokens(uint32_t* out, const lq_embedder* embedder) LQ_NOEXCEPT;

/* Vectors of `n` texts, one after another, into `out`: n * dimension floats, of which there is room for `capacity`;
 * `count` (may be NULL) becomes how many are needed. With `out` NULL and `capacity` 0 only that. Text i has lengths[i]
 * bytes, or is NUL-terminated if `lengths` is NULL. A text gives the same bits alone and among others. Uses the
 * context's threads. `cancel` (may be NULL) is polled between batches. Errors: INVALID_ARGUMENT, BUFFER_TOO_SMALL,
 * LIMIT, CANCELLED, OUT_OF_MEMORY. Threads: one. */
LQ_API lq_status lq_embedder_embed(float* out, size_t capacity, size_t* count, lq_embedder* embedder,
                                   const char* const* texts, const size_t* lengths, size_t n,
                                   const lq_cancel* cancel) LQ_NOEXCEPT;

/* The message of the last call that failed on this embedder; "" if none. Threads: any. */
LQ_API lq_status lq_embedder_error(char* out, size_t capacity, size_t* length, const lq_embedder* embedder) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
