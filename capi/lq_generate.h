/* Part of loquor.h: sessions, generation, batches, scoring. */
#ifndef LOQUOR_LQ_GENERATE_H
#define LOQUOR_LQ_GENERATE_H

#include "lq_grammar.h"
#include "lq_sampler.h"
#include "lq_text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Sessions: a token list and its KV cache ------------------------------------------------------------------- */

/* One conversation or document: the tokens the model has seen, and what it remembers of them. */
typedef struct lq_session lq_session;

/* What happens when the context is full. */
typedef enum lq_overflow {
  LQ_OVERFLOW_ERROR = 0, /* feeding gives LQ_ERR_CONTEXT_FULL and changes nothing; a generation ends with
                            LQ_FINISH_CONTEXT_FULL */
  LQ_OVERFLOW_SLIDE = 1  /* the oldest half of what follows the first `slide_keep` tokens is forgotten, and the rest is
                            computed again at its new place */
} lq_overflow;

typedef struct lq_session_options {
  uint32_t struct_size;
  uint32_t n_ctx; /* most tokens it holds; 0 = as many as the model was trained with. Memory is taken as it fills */
  const char* kv_type;    /* "f16" (default), "q8_0", "f32" */
  int32_t overflow;       /* an lq_overflow */
  uint32_t slide_keep;    /* tokens at the start that sliding keeps */
  uint32_t prefill_chunk; /* tokens computed at once while reading a prompt; 0 = chosen by the library. Results do not
                             depend on it */
  int32_t wipe;           /* non-zero: the cache is overwritten with zeros when it is released */
  uint64_t memory_cap;    /* bytes that the session may take; 0 = no cap. LQ_ERR_OUT_OF_MEMORY, at creation if it can be
                             known then */
} lq_session_options;

#define LQ_SESSION_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_session_options), 0, NULL, LQ_OVERFLOW_ERROR, 0, 0, 0, 0 }

/* An empty session. Errors: INVALID_ARGUMENT for a vocabulary-only model, OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_session_create(lq_session** out, lq_model* model, const lq_session_options* options) LQ_NOEXCEPT;

LQ_API void lq_session_free(lq_session* session) LQ_NOEXCEPT;

/* A second session with the same tokens, which goes its own way; the cache of what they share is stored once (copy on
 * write). Threads: one. */
LQ_API lq_status lq_session_fork(lq_session** out, lq_session* session) LQ_NOEXCEPT;

/* Makes the session hold exactly these tokens: keeps the longest common prefix, forgets the rest, computes what is new.
 * *reused (may be NULL) = tokens that were not computed again. Errors: INVALID_ARGUMENT (an id outside the vocabulary,
 * no tokens), CONTEXT_FULL, CANCELLED (the session holds the part that was computed). Threads: one. */
LQ_API lq_status lq_session_set_prompt(size_t* reused, lq_session* session, const int32_t* tokens,
                                       size_t count) LQ_NOEXCEPT;

/* Appends tokens and computes the logits after the last one. Errors as above. Threads: one. */
LQ_API lq_status lq_session_feed(lq_session* session, const int32_t* tokens, size_t count) LQ_NOEXCEPT;

/* The scores of the next token: n_vocab floats after the last token fed, borrowed until the next call on the session.
 * Errors: INVALID_ARGUMENT if the session is empty. Threads: one. */
LQ_API lq_status lq_session_logits(const float** logits, size_t* n_vocab, lq_session* session) LQ_NOEXCEPT;

/* The scores of the next token for `ids` alone, in their order to `out` (id_count floats): the bits that
 * lq_session_logits has there, but only the rows of the vocabulary that hold them are computed. For an answer among a
 * few, as the letters of a multiple-choice question, or what a grammar allows. First makes the session hold exactly the
 * tokens of `prompt`, as lq_session_set_prompt does with *reused (may be NULL); NULL: goes on from those it holds.
 * Errors as there, and INVALID_ARGUMENT for no ids or one outside the vocabulary. Threads: one. */
LQ_API lq_status lq_session_logits_of(float* out, size_t* reused, lq_session* session, const int32_t* prompt,
                                      size_t prompt_count, const int32_t* ids, size_t id_count) LQ_NOEXCEPT;

/* `logits` (n_vocab floats, borrowed for the call) are the scores that follow the token at `position` of the session.
 */
typedef int (*lq_logits_fn)(size_t position, const float* logits, size_t n_vocab, void* user);

/* Appends tokens and hands out the logits after each of them, in order. A non-zero return stops: LQ_ERR_CANCELLED, and
 * the session holds the tokens computed so far. Threads: one. */
LQ_API lq_status lq_session_eval(lq_session* session, const int32_t* tokens, size_t count, lq_logits_fn callback,
                                 void* user) LQ_NOEXCEPT;

/* Appends tokens; *logprob_sum = the sum of the natural logarithms of the probabilities that the model gave to each of
 * them (the first one counts only if the session was not empty), *scored (may be NULL) = how many. No row of scores is
 * kept meanwhile. To compare continuations, score one, lq_session_rewind to the prompt, score the next. On failure the
 * session holds the tokens it held before. Threads: one. */
LQ_API lq_status lq_session_score(double* logprob_sum, size_t* scored, lq_session* session, const int32_t* tokens,
                                  size_t count) LQ_NOEXCEPT;

/* Forgets all but the first n_tokens. Errors: INVALID_ARGUMENT if it holds fewer. Threads: one. */
LQ_API lq_status lq_session_rewind(lq_session* session, size_t n_tokens) LQ_NOEXCEPT;

/* Tokens held, the most it can hold, and the bytes it takes now (shared parts counted in each). Threads: one. */
LQ_API lq_status lq_session_length(size_t* out, const lq_session* session) LQ_NOEXCEPT;
LQ_API lq_status lq_session_capacity(size_t* out, const lq_session* session) LQ_NOEXCEPT;
LQ_API lq_status lq_session_memory(uint64_t* out, const lq_session* session) LQ_NOEXCEPT;

/* The tokens held. Threads: one. */
LQ_API lq_status lq_session_tokens(int32_t* out, size_t capacity, size_t* count, const lq_session* session) LQ_NOEXCEPT;

/* Writes tokens and cache to a file (temporary file in the same folder, then rename: an older file survives a failure).
 * Errors: IO. Threads: one. */
LQ_API lq_status lq_session_save_file(const lq_session* session, const char* path) LQ_NOEXCEPT;

/* Replaces the session's contents. Errors: NOT_FOUND, IO, BAD_FILE (damaged: every block is checksummed), MISMATCH
 * (another model, cache type or version), CONTEXT_FULL; the session is then unchanged. Threads: one. */
LQ_API lq_status lq_session_load_file(lq_session* session, const char* path) LQ_NOEXCEPT;

/* The same to and from memory; a buffer triple, in bytes. Threads: one. */
LQ_API lq_status lq_session_save(void* out, size_t capacity, size_t* length, const lq_session* session) LQ_NOEXCEPT;
LQ_API lq_status lq_session_load(lq_session* session, const void* data, size_t length) LQ_NOEXCEPT;

/* The message of the last call that failed on this session; "" if none. Threads: any. */
LQ_API lq_status lq_session_error(char* out, size_t capacity, size_t* length, const lq_session* session) LQ_NOEXCEPT;

/* ---- Generation ------------------------------------------------------------------------------------------------ */

typedef enum lq_finish {
  LQ_FINISH_NONE = 0,         /* not finished */
  LQ_FINISH_END = 1,          /* the model ended its text or turn */
  LQ_FINISH_STOP = 2,         /* a stop string or stop token */
  LQ_FINISH_LENGTH = 3,       /* max_tokens */
  LQ_FINISH_CONTEXT_FULL = 4, /* no room, with LQ_OVERFLOW_ERROR */
  LQ_FINISH_CANCELLED = 5,    /* lq_session_cancel or a cancel handle */
  LQ_FINISH_CALLBACK = 6      /* the token callback returned non-zero */
} lq_finish;

/* "stop" for END and STOP, "length", "context_full", "cancelled", "callback", "none". Threads: any. */
LQ_API const char* lq_finish_name(lq_finish finish) LQ_NOEXCEPT;

typedef struct lq_logprob {
  int32_t token;
  float logprob; /* natural logarithm of the model's own probability, before any sampling stage */
} lq_logprob;

typedef enum lq_event_kind {
  LQ_EVENT_WORKING = 0, /* the budget is used up in the middle of the prompt or of a token */
  LQ_EVENT_TOKEN = 1,   /* a token was generated */
  LQ_EVENT_DONE = 2     /* the generation is over: `finish` says why; `text` holds what was still waiting */
} lq_event_kind;

/* What a step or a callback tells. Pointers are borrowed until the next call on the session (in a callback: until it
 * returns). */
typedef struct lq_event {
  uint32_t struct_size;
  int32_t kind;     /* an lq_event_kind */
  int32_t token;    /* the token; -1 unless kind is TOKEN */
  uint32_t index;   /* how many tokens this generation made before it */
  const char* text; /* text that is now complete, never half a character; held back while it may be the start of
                       a stop string. Not NUL-terminated, maybe empty */
  size_t text_length;
  float logprob;         /* of the token; NaN if logprobs was 0 */
  int32_t finish;        /* an lq_finish */
  const lq_logprob* top; /* the most probable tokens, best first */
  size_t top_count;
  uint32_t prompt_done;  /* tokens of the prompt computed or reused so far, */
  uint32_t prompt_total; /* and to do in all */
} lq_event;

#define LQ_EVENT_INIT \
  { (uint32_t)sizeof(lq_event), 0, -1, 0, NULL, 0, 0.0f, 0, NULL, 0, 0, 0 }

/* Called for each token, and once with LQ_EVENT_DONE. A non-zero return ends the generation with LQ_FINISH_CALLBACK. */
typedef int (*lq_token_fn)(const lq_event* event, void* user);

typedef struct lq_generate_options {
  uint32_t struct_size;
  uint32_t max_tokens;       /* 0 = until the model ends or the context is full */
  const lq_sampler* sampler; /* copied at the start; NULL = greedy */
  const char* const* stop;   /* stop_count strings, NUL-terminated, not empty: the text ends before the first of them */
  size_t stop_count;
  const int32_t* stop_tokens; /* tokens that end it, besides the model's own */
  size_t stop_token_count;
  uint32_t logprobs;     /* how many most probable tokens to report for each; 0 = none. At most 100 */
  int32_t ignore_end;    /* non-zero: the model's own end tokens do not end it */
  int32_t append;        /* non-zero: the prompt is appended to the session; 0: it replaces the contents, reusing the
                            longest common prefix */
  int32_t parse_special; /* non-zero: a text prompt may hold control tokens ("<|im_start|>") */
  int32_t no_begin;      /* non-zero: no begin token before a text prompt that replaces the contents */
  int32_t reserved;      /* 0 */
  lq_cancel* cancel;     /* a second way to stop, besides lq_session_cancel; may be NULL */
  int32_t lookup;        /* prompt lookup: the most tokens that are guessed, from where the last few stood before in the
                            session, and computed together with the last one. 0 = chosen by the library, -1 = none; at
                            most 31. The tokens, their log probabilities and events are the same; only the time
                            differs. Where guesses do not pay, none are made; a batch makes none */
  int32_t reserved2;     /* 0 */
  const lq_grammar* grammar; /* what is generated is a text of this grammar (its beginning, if something else ends it
                                sooner), and ends by itself where that is whole and cannot go on; log probabilities are
                                those without it. NULL: any text */
} lq_generate_options;

#define LQ_GENERATE_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_generate_options), 0, NULL, NULL, 0, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, NULL }

/* Figures of one generation. Times are wall time in milliseconds. */
typedef struct lq_result {
  uint32_t struct_size;
  int32_t finish;            /* an lq_finish */
  uint32_t prompt_tokens;    /* tokens of the prompt, */
  uint32_t reused_tokens;    /* of which this many were in the cache already */
  uint32_t generated_tokens; /* tokens made, the end token not counted */
  uint32_t reserved;
  double load_ms;           /* loading the model */
  double prefill_ms;        /* reading the prompt */
  double decode_ms;         /* making tokens */
  double first_token_ms;    /* from the start of the call to the first token */
  double prefill_tps;       /* prompt tokens computed per second; 0 if none were */
  double decode_tps;        /* tokens made per second, the first one (which prefill gives) not counted; 0 if none */
  uint32_t drafted_tokens;  /* guessed by prompt lookup and computed ahead, */
  uint32_t accepted_tokens; /* of which this many came */
} lq_result;

#define LQ_RESULT_INIT \
  { (uint32_t)sizeof(lq_result), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Reads a prompt and generates until something ends it. `prompt` NULL: goes on from what the session holds. `result`
 * and `callback` may be NULL. Status CANCELLED (handle or lq_session_cancel) leaves the text made so far in
 * lq_session_output. Other errors: CONTEXT_FULL if the prompt does not fit. Threads: one. */
LQ_API lq_status lq_session_generate(lq_result* result, lq_session* session, const char* prompt, size_t length,
                                     const lq_generate_options* options, lq_token_fn callback, void* user) LQ_NOEXCEPT;

/* The same from a conversation, through the model's own chat template. Repeat it with the messages so far and only the
 * new ones are computed. `chat` may be NULL. Threads: one. */
LQ_API lq_status lq_session_chat(lq_result* result, lq_session* session, const lq_message* messages, size_t count,
                                 const lq_chat_options* chat, const lq_generate_options* options, lq_token_fn callback,
                                 void* user) LQ_NOEXCEPT;

/* Begins a generation and returns at once; lq_session_step does the work. Any other generation of the session is given
 * up. Threads: one. */
LQ_API lq_status lq_session_start(lq_session* session, const char* prompt, size_t length,
                                  const lq_generate_options* options) LQ_NOEXCEPT;
LQ_API lq_status lq_session_start_tokens(lq_session* session, const int32_t* tokens, size_t count,
                                         const lq_generate_options* options) LQ_NOEXCEPT;
LQ_API lq_status lq_session_start_chat(lq_session* session, const lq_message* messages, size_t count,
                                       const lq_chat_options* chat, const lq_generate_options* options) LQ_NOEXCEPT;

/* As a budget: as long as it takes until the next token. */
#define LQ_BUDGET_NONE ((uint64_t)-1)

/* Does as much of the next token's work as fits in budget_us microseconds (at least one unit, about a layer of the
 * network) and returns with WORKING; or with TOKEN as soon as there is one; or with DONE, then and ever after. The
 * tokens are those that lq_session_generate gives. A game calls this once a frame. Errors: INVALID_ARGUMENT if nothing
 * was started; CANCELLED once when cancelled, then DONE. Threads: one. */
LQ_API lq_status lq_session_step(lq_event* event, lq_session* session, uint64_t budget_us) LQ_NOEXCEPT;

/* Gives up the generation that is going on, keeping what was made; lq_session_step then tells DONE. Threads: one. */
LQ_API lq_status lq_session_stop(lq_session* session) LQ_NOEXCEPT;

/* Asks the call that is now running on the session, in whatever thread, to return LQ_ERR_CANCELLED, within one token or
 * 20 ms; a session at rest takes it for the next call. Threads: any; also safe in a signal handler. */
LQ_API lq_status lq_session_cancel(lq_session* session) LQ_NOEXCEPT;

/* The figures of the last generation, also while it is going on. Threads: one. */
LQ_API lq_status lq_session_result(lq_result* out, const lq_session* session) LQ_NOEXCEPT;

/* The text and the tokens of the last generation, borrowed until the next call on the session. Threads: one. */
LQ_API lq_status lq_session_output(const char** text, size_t* length, const lq_session* session) LQ_NOEXCEPT;
LQ_API lq_status lq_session_output_tokens(const int32_t** tokens, size_t* count, const lq_session* session) LQ_NOEXCEPT;

/* ---- Batches: several sessions of one model, computed together ----------------------------------------------------
 */

typedef struct lq_batch lq_batch;

typedef struct lq_batch_options {
  uint32_t struct_size;
  uint32_t max_sessions; /* most sessions in one step; 0 = 16. At most 1024 */
} lq_batch_options;

#define LQ_BATCH_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_batch_options), 0 }

LQ_API lq_status lq_batch_create(lq_batch** out, lq_model* model, const lq_batch_options* options) LQ_NOEXCEPT;

LQ_API void lq_batch_free(lq_batch* batch) LQ_NOEXCEPT;

/* Brings every started session one token further in one pass over the weights: events[i] is what happened to
 * sessions[i] (TOKEN, WORKING while its prompt is being read, or DONE). Each session gives the tokens it would give
 * alone. events[0] must have struct_size set, and its size is the distance between elements. Errors: INVALID_ARGUMENT
 * for a session of another model, given twice, or not started. Threads: one, for the batch and each session. */
LQ_API lq_status lq_batch_step(lq_event* events, lq_batch* batch, lq_session* const* sessions,
                               size_t count) LQ_NOEXCEPT;

/* As lq_token_fn, for session number `index`; a non-zero return ends that session's generation. */
typedef int (*lq_batch_fn)(size_t index, const lq_event* event, void* user);

/* Steps until every session is done. `callback` may be NULL. Threads: as above. */
LQ_API lq_status lq_batch_run(lq_batch* batch, lq_session* const* sessions, size_t count, lq_batch_fn callback,
                              void* user) LQ_NOEXCEPT;

/* ---- Perplexity ------------------------------------------------------------------------------------------------ */

typedef struct lq_perplexity_options {
  uint32_t struct_size;
  uint32_t n_ctx;          /* tokens in one window, at least 4; 0 = 512 */
  uint32_t max_windows;    /* 0 = all */
  uint32_t reserved;       /* 0 */
  const char* kv_type;     /* "f16" (default), "q8_0", "f32" */
  lq_progress_fn progress; /* the fraction of windows done; non-zero return: LQ_ERR_CANCELLED */
  void* progress_user;
  lq_cancel* cancel;
  uint32_t stride;    /* 0: windows that do not overlap; else they slide by so many tokens, at most n_ctx */
  uint32_t reserved2; /* 0 */
} lq_perplexity_options;

#define LQ_PERPLEXITY_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_perplexity_options), 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0 }

typedef struct lq_perplexity_result {
  uint32_t struct_size;
  uint32_t windows;
  uint64_t scored;     /* tokens scored */
  double perplexity;   /* exp(-mean log probability) */
  double std_error;    /* of the perplexity, from the variance of the log probabilities */
  double mean_logprob; /* natural logarithm */
} lq_perplexity_result;

#define LQ_PERPLEXITY_RESULT_INIT \
  { (uint32_t)sizeof(lq_perplexity_result), 0, 0, 0, 0, 0 }

/* Perplexity of a token list as it is usually reported for GGUF models: the list is cut into windows of n_ctx tokens
 * that do not overlap (a shorter rest is dropped), the first token of each is replaced by the begin token where the
 * model wants one, and the tokens of the second half of each window, but its first, are scored. With a stride, as it is
 * reported for Hugging Face models: the first window scores all of its tokens but the first, each one after it,
 * `stride` tokens later, those that no window had before; the last may be shorter. Errors: INVALID_ARGUMENT for fewer
 * than n_ctx tokens (with a stride: fewer than 2). Threads: any. */
LQ_API lq_status lq_perplexity(lq_perplexity_result* out, lq_model* model, const int32_t* tokens, size_t count,
                               const lq_perplexity_options* options) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
