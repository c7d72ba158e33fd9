/* Part of loquor.h: prompts composed of a role, instructions, examples and a question, and ways of asking. */
#ifndef LOQUOR_LQ_PROMPT_H
#define LOQUOR_LQ_PROMPT_H

#include "lq_eval.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lq_prompt lq_prompt;

/* `options` is a JSON object; all members may be left out:
 *   "role", "instructions"  who the model is, and what it is to do: the system message
 *   "examples"              [{"input", "output", "reasoning" (may be left out)}]: few-shot (Brown et al. 2020)
 *   "shots"                 how many of them are shown; 0 = all
 *   "choice"                which: "first", "random" (by the seed), "nearest" (by `encoder`'s vectors, the nearest
 * last) "reasoning_tokens"      chain of thought (Wei et al. 2022): free reasoning of at most so many tokens, then the
 * answer "votes", "temperature"  self-consistency (Wang et al. 2023): so many chains are drawn from one prompt, and the
 * answer is what most of them give. 1 vote is greedy "choices", "regex", "json_schema", "gbnf"   what the answer is
 * held to; at most one of them "max_tokens"            of the answer; 64 "budget"                of the prompt and all
 * that follows; examples without room are left out, the first ones first. 0 = what the session holds "raw" "Q: ...\nA:
 * ..." instead of the model's chat template "seed" `encoder` (a text encoder's model, kept alive) is needed for
 * "nearest"; else NULL. Errors: INVALID_ARGUMENT naming the member, and those of lq_grammar_from_*. Threads: any. */
LQ_API lq_status lq_prompt_create(lq_prompt** out, const char* options, size_t length, lq_model* encoder) LQ_NOEXCEPT;

LQ_API void lq_prompt_free(lq_prompt* prompt) LQ_NOEXCEPT;

/* Asks; the session's contents are replaced. The report: {"text": the answer, "reasoning": of the first chain that gave
 * it, "share": of the chains that gave it, "votes": [{"text", "count"}], "shown", "dropped": indices of examples,
 * "prompt_tokens", "generated_tokens"}. `cancel` may be NULL. Errors: CONTEXT_FULL (the question does not fit without
 * any example), NOT_FOUND (no chat template), TEMPLATE, CANCELLED, OUT_OF_MEMORY. Threads: one, for prompt and session.
 */
LQ_API lq_status lq_prompt_ask(lq_report** out, lq_prompt* prompt, lq_session* session, const char* question,
                               size_t length, const lq_cancel* cancel) LQ_NOEXCEPT;

/* The prompt of a question without asking it: {"text", "tokens", "shown", "dropped"}, for a budget of so many tokens
 * (0 = as the model was trained). Errors: as lq_prompt_ask. Threads: one. */
LQ_API lq_status lq_prompt_build(lq_report** out, lq_prompt* prompt, lq_model* model, const char* question,
                                 size_t length, uint32_t budget) LQ_NOEXCEPT;

/* The message of the last call that failed on this prompt; "" if none. Threads: any. */
LQ_API lq_status lq_prompt_error(char* out, size_t capacity, size_t* length, const lq_prompt* prompt) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
