/* Part of loquor.h: prefix caches, by which sessions share what they have computed of prompts that begin alike. */
#ifndef LOQUOR_LQ_PREFIX_H
#define LOQUOR_LQ_PREFIX_H

#include "lq_generate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pages (64 tokens each) of the KV caches of a model's sessions, found by all the tokens up to and in them. Only
 * sessions that were told to use it take part. Results are the same bits with a hit and without; but time and `reused`
 * tell whether another session that takes part has had a text, so let only those share that may know that of each
 * other. */
typedef struct lq_prefix_cache lq_prefix_cache;

typedef struct lq_prefix_cache_options {
  uint32_t struct_size;
  uint32_t reserved;  /* 0 */
  uint64_t max_bytes; /* memory that it may keep; 0 (the default) = none, so nothing is shared. What was used least
                         recently is given up first. Pages that a session holds as well count too */
} lq_prefix_cache_options;

#define LQ_PREFIX_CACHE_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_prefix_cache_options), 0, 0 }

/* An empty cache for sessions of this model. Errors: INVALID_ARGUMENT for a vocabulary-only model. Threads: any. */
LQ_API lq_status lq_prefix_cache_create(lq_prefix_cache** out, lq_model* model,
                                        const lq_prefix_cache_options* options) LQ_NOEXCEPT;

/* Sessions that use it keep it alive. */
LQ_API void lq_prefix_cache_free(lq_prefix_cache* cache) LQ_NOEXCEPT;

/* From now on the session takes over what the cache has of a prompt (lq_session_set_prompt, _generate, _chat, _start,
 * _feed, ...; `reused` and lq_result.reused_tokens count it) and gives the cache the full pages that it computes. Its
 * forks do the same. NULL: no longer. A session made with `wipe` has its pages wiped when the last holder lets go of
 * them. A page that there is no memory to keep is computed again, and is not an error. Errors: INVALID_ARGUMENT if they
 * are of different models. Threads: one, for the session; any, for the cache. */
LQ_API lq_status lq_session_use_prefix_cache(lq_session* session, lq_prefix_cache* cache) LQ_NOEXCEPT;

/* Changes max_bytes, giving up what is over it. Threads: any. */
LQ_API lq_status lq_prefix_cache_resize(lq_prefix_cache* cache, uint64_t max_bytes) LQ_NOEXCEPT;

/* Gives up all pages; those that sessions hold stay with them. Threads: any. */
LQ_API lq_status lq_prefix_cache_clear(lq_prefix_cache* cache) LQ_NOEXCEPT;

typedef struct lq_prefix_cache_stats {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t lookups;       /* prompts that were looked up, */
  uint64_t hits;          /* those of them for which a page was taken over, */
  uint64_t reused_tokens; /* and the tokens that were not computed again for it */
  uint64_t entries;       /* pages held now, */
  uint64_t bytes;         /* their memory, */
  uint64_t max_bytes;     /* and the most it may be */
  uint64_t evicted;       /* pages given up to keep to that */
} lq_prefix_cache_stats;

#define LQ_PREFIX_CACHE_STATS_INIT \
  { (uint32_t)sizeof(lq_prefix_cache_stats), 0, 0, 0, 0, 0, 0, 0, 0 }

/* Threads: any. */
LQ_API lq_status lq_prefix_cache_get_stats(lq_prefix_cache_stats* out, const lq_prefix_cache* cache) LQ_NOEXCEPT;

/* The message of the last call that failed on this cache; "" if none. Threads: any. */
LQ_API lq_status lq_prefix_cache_error(char* out, size_t capacity, size_t* length,
                                       const lq_prefix_cache* cache) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
