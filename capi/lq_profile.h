/* Part of loquor.h: where the time of a session's computations goes. */
#ifndef LOQUOR_LQ_PROFILE_H
#define LOQUOR_LQ_PROFILE_H

#include "lq_generate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A part of the network. Quantising the input of a matrix product counts to what made it: the norm, the activation
 * or, for attention_out, the product. */
typedef struct lq_profile_part {
  uint32_t struct_size;
  uint32_t reserved;
  const char* name; /* embedding, norm, qkv, rotary, kv_store, attention, attention_out, ffn_up, activation, ffn_down,
                       experts, head; stays valid. Later versions may add others */
  uint64_t calls;
  double seconds;
  double bytes; /* weights, keys and values that had to be read, each byte once in a pass however many tokens it has;
                   0 for parts that work on the tokens alone */
} lq_profile_part;

#define LQ_PROFILE_PART_INIT \
  { (uint32_t)sizeof(lq_profile_part), 0, NULL, 0, 0, 0 }

/* on = 1: from now on the time of the session's own computations (prompts, generation, scores; not what a batch
 * computes for it) is summed by parts, beginning at nothing; it costs about 1 % of a small model's speed. on = 0: no
 * longer, and the sums are given up. Threads: one. */
LQ_API lq_status lq_session_profile(lq_session* session, int on) LQ_NOEXCEPT;

/* How many parts there are; 0 while the profile is off. Threads: one. */
LQ_API lq_status lq_session_profile_parts(size_t* count, const lq_session* session) LQ_NOEXCEPT;

/* Part i of them. Errors: INVALID_ARGUMENT if there are not so many. Threads: one. */
LQ_API lq_status lq_session_profile_part(lq_profile_part* out, const lq_session* session, size_t i) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
