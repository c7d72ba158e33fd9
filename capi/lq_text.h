/* Part of loquor.h: tokens and text, and chat templates. */
#ifndef LOQUOR_LQ_TEXT_H
#define LOQUOR_LQ_TEXT_H

#include "lq_model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Tokens ---------------------------------------------------------------------------------------------------- */

typedef struct lq_tokenize_options {
  uint32_t struct_size;
  int32_t add_special;   /* non-zero: add the begin (and end) tokens that the model wants */
  int32_t parse_special; /* non-zero: "<|im_end|>" in the text becomes that control token. 0 (default): the text is
                            plain text, whatever it holds; use that for anything that a user wrote */
} lq_tokenize_options;

#define LQ_TOKENIZE_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_tokenize_options), 0, 0 }

/* Text to token ids. Time is linear in the length. Any bytes are accepted: lq_detokenize gives the same bytes back.
 * Threads: any. */
LQ_API lq_status lq_tokenize(int32_t* out, size_t capacity, size_t* count, const lq_model* model, const char* text,
                             size_t length, const lq_tokenize_options* options) LQ_NOEXCEPT;

typedef struct lq_detokenize_options {
  uint32_t struct_size;
  int32_t render_special; /* non-zero: control tokens are written as their text; 0: they are left out */
} lq_detokenize_options;

#define LQ_DETOKENIZE_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_detokenize_options), 0 }

/* Token ids to text. The bytes may be invalid UTF-8 if the tokens are cut within a character. Errors: INVALID_ARGUMENT
 * for an id outside the vocabulary. Threads: any. */
LQ_API lq_status lq_detokenize(char* out, size_t capacity, size_t* length, const lq_model* model, const int32_t* tokens,
                               size_t count, const lq_detokenize_options* options) LQ_NOEXCEPT;

/* Number of token ids. Threads: any. */
LQ_API lq_status lq_vocab_size(uint32_t* out, const lq_model* model) LQ_NOEXCEPT;

/* The bytes of one token, control tokens as their text. Threads: any. */
LQ_API lq_status lq_token_text(char* out, size_t capacity, size_t* length, const lq_model* model,
                               int32_t token) LQ_NOEXCEPT;

typedef enum lq_token_kind {
  LQ_TOKEN_NORMAL = 1,
  LQ_TOKEN_UNKNOWN = 2,
  LQ_TOKEN_CONTROL = 3,      /* never the result of plain text: <|im_end|>, <s> */
  LQ_TOKEN_USER_DEFINED = 4, /* added to the vocabulary, always matched as a whole */
  LQ_TOKEN_UNUSED = 5,
  LQ_TOKEN_BYTE = 6
} lq_token_kind;

LQ_API lq_status lq_token_kind_of(lq_token_kind* out, const lq_model* model, int32_t token) LQ_NOEXCEPT;

/* The id of the token that stands for exactly these bytes, or of the control token that is spelled so. Errors:
 * NOT_FOUND. Threads: any. */
LQ_API lq_status lq_token_find(int32_t* out, const lq_model* model, const char* text, size_t length) LQ_NOEXCEPT;

/* The id that the model gives a role: "bos", "eos", "eot" (end of turn), "unk", "pad". *out = -1 if it has none.
 * Errors: INVALID_ARGUMENT for a role that is not in this list. Threads: any. */
LQ_API lq_status lq_token_special(int32_t* out, const lq_model* model, const char* role) LQ_NOEXCEPT;

/* *out = 1 if the token ends a generation (end of text or end of turn), else 0. Threads: any. */
LQ_API lq_status lq_token_is_end(int32_t* out, const lq_model* model, int32_t token) LQ_NOEXCEPT;

/* ---- Streaming decode: text that never holds half a character -----------------------------------------------------
 */

typedef struct lq_stream lq_stream;

typedef struct lq_stream_options {
  uint32_t struct_size;
  int32_t render_special; /* non-zero: control tokens are written as their text; 0: they are left out */
  int32_t raw_bytes;      /* non-zero: bytes that are not UTF-8 pass through unchanged; 0: each such sequence becomes
                             U+FFFD, so that every piece is valid UTF-8 */
  int32_t reserved;       /* 0 */
} lq_stream_options;

#define LQ_STREAM_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_stream_options), 0, 0, 0 }

/* Threads: any. */
LQ_API lq_status lq_stream_create(lq_stream** out, const lq_model* model, const lq_stream_options* options) LQ_NOEXCEPT;

/* Adds a token and hands out the text that is now complete (maybe none), borrowed until the next call on this stream.
 * Bytes that can begin a character wait for the rest of it. `text` and `length` may not be NULL. Threads: one. */
LQ_API lq_status lq_stream_push(const char** text, size_t* length, lq_stream* stream, int32_t token) LQ_NOEXCEPT;

/* Hands out the bytes still waiting and begins anew. Threads: one. */
LQ_API lq_status lq_stream_flush(const char** text, size_t* length, lq_stream* stream) LQ_NOEXCEPT;

LQ_API void lq_stream_free(lq_stream* stream) LQ_NOEXCEPT;

/* ---- Chat ------------------------------------------------------------------------------------------------------ */

/* One message of a conversation. In an array every element has the same struct_size. */
typedef struct lq_message {
  uint32_t struct_size;
  uint32_t reserved;        /* 0 */
  const char* role;         /* "system", "user", "assistant", "tool", or what the template knows; NUL-terminated */
  const char* content;      /* the text; NULL = "" */
  size_t content_length;    /* bytes, or LQ_NTS */
  const char* extra_json;   /* NULL, or a JSON object whose members the template sees beside role and content
                               ("tool_calls", "name", ...); a member "content" replaces the text */
  size_t extra_json_length; /* bytes, or LQ_NTS */
} lq_message;

#define LQ_MESSAGE_INIT \
  { (uint32_t)sizeof(lq_message), 0, NULL, NULL, LQ_NTS, NULL, LQ_NTS }

typedef struct lq_chat_options {
  uint32_t struct_size;
  int32_t no_generation_prompt; /* non-zero: do not end with the words that open the assistant's turn */
  const char* tools_json;       /* NULL, or a JSON array of tools: the template's variable `tools`. A template that
                                   knows no tools gets them described in the system message */
  size_t tools_json_length;     /* bytes; with LQ_NTS or 0 the string ends at its NUL */
  const char* extra_json;       /* NULL, or a JSON object of further variables for the template */
  size_t extra_json_length;     /* bytes; with LQ_NTS or 0 the string ends at its NUL */
  uint64_t max_steps;  /* bounds of the template's sandbox, each only to be lowered: steps of the interpreter, */
  uint64_t max_memory; /* bytes of live values, */
  uint64_t max_output; /* bytes of rendered text. 0 = 5,000,000 steps, 64 MiB, 16 MiB */
} lq_chat_options;

#define LQ_CHAT_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_chat_options), 0, NULL, 0, NULL, 0, 0, 0, 0 }

/* A compiled Jinja template. It runs in a sandbox: no files, no network, no environment, bounded steps and memory. */
typedef struct lq_chat_template lq_chat_template;

/* Compiles `source` (`length` bytes or LQ_NTS), or the model's own template if source is NULL. `model` gives the texts
 * of bos_token and eos_token; it may be NULL if source is not. Errors: NOT_FOUND (the model has no template), TEMPLATE
 * (with the line), LIMIT. Threads: any. */
LQ_API lq_status lq_chat_template_create(lq_chat_template** out, const lq_model* model, const char* source,
                                         size_t length) LQ_NOEXCEPT;

LQ_API void lq_chat_template_free(lq_chat_template* chat_template) LQ_NOEXCEPT;

/* Messages to the text of a prompt. Errors: TEMPLATE, LIMIT, INVALID_ARGUMENT (JSON that does not parse, with the
 * offset). Threads: any. */
LQ_API lq_status lq_chat_render(char* out, size_t capacity, size_t* length, const lq_chat_template* chat_template,
                                const lq_message* messages, size_t count, const lq_chat_options* options) LQ_NOEXCEPT;

/* Messages to the tokens of a prompt. The template's own text may hold control tokens; what came from the messages is
 * plain text, so a user who writes "<|im_end|>" ends nothing. Threads: any. */
LQ_API lq_status lq_chat_tokenize(int32_t* out, size_t capacity, size_t* count, const lq_model* model,
                                  const lq_chat_template* chat_template, const lq_message* messages, size_t n_messages,
                                  const lq_chat_options* options) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
