/* Part of loquor.h: grammars, to which generated text can be held (lq_generate_options.grammar). */
#ifndef LOQUOR_LQ_GRAMMAR_H
#define LOQUOR_LQ_GRAMMAR_H

#include "lq_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A set of texts. Immutable, of no particular model; what is worked out for a model's vocabulary is kept with the model
 * while the grammar lives, so one grammar should serve all generations that need it. */
typedef struct lq_grammar lq_grammar;

/* What the four functions below have in common. Errors: INVALID_ARGUMENT for what is malformed (with its place) or
 * matches no text, UNSUPPORTED naming what these notations have and this library has not, LIMIT for what is too large
 * or nested too deeply, OUT_OF_MEMORY. Threads: any. */

/* GBNF, the notation of llama.cpp; in it, %json{...} stands for JSON of the schema in the braces. `root` names the rule
 * to begin with; NULL: "root". */
LQ_API lq_status lq_grammar_from_gbnf(lq_grammar** out, const char* text, size_t length, const char* root) LQ_NOEXCEPT;

typedef struct lq_schema_options {
  uint32_t struct_size;
  int32_t compact;   /* non-zero: no white space in the JSON; 0: a space, or up to two line ends with indentation */
  int32_t closed;    /* non-zero: objects with "properties" and no word on additionalProperties have no others */
  uint32_t reserved; /* 0 */
} lq_schema_options;

#define LQ_SCHEMA_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_schema_options), 0, 0, 0 }

/* A JSON Schema, draft 2020-12; docs/constrained.md lists the keywords. Objects have their declared properties in the
 * schema's order, then the others. */
LQ_API lq_status lq_grammar_from_json_schema(lq_grammar** out, const char* schema, size_t length,
                                             const lq_schema_options* options) LQ_NOEXCEPT;

/* A regular expression that the whole text matches: ECMAScript's notation without look-around and back-references. */
LQ_API lq_status lq_grammar_from_regex(lq_grammar** out, const char* pattern, size_t length) LQ_NOEXCEPT;

/* One of these texts: `count` strings, NUL-terminated, not empty. */
LQ_API lq_status lq_grammar_from_choices(lq_grammar** out, const char* const* choices, size_t count) LQ_NOEXCEPT;

/* What an answer may be when there are tools: a JSON array of functions as in OpenAI's chat API ({"type": "function",
 * "function": {"name", "description", "parameters": JSON Schema}}). `choice` "auto" or NULL: text or calls; "required":
 * calls; any other word: a call of the tool of that name. `parallel` non-zero: up to eight calls, else one. A call is
 * <tool_call>, a line with {"name": ..., "arguments": {...}}, </tool_call>. The tools also go into the prompt:
 * lq_chat_options.tools_json. */
LQ_API lq_status lq_grammar_from_tools(lq_grammar** out, const char* tools_json, size_t length, const char* choice,
                                       int32_t parallel) LQ_NOEXCEPT;

/* The calls in such an answer, as JSON: {"content": the text before them or null, "tool_calls": [{"name": ...,
 * "arguments": {...}}, ...]}. If there is no whole call, all is content; what follows the last whole one is left out. Threads: any. */
LQ_API lq_status lq_tool_calls_json(char* out, size_t capacity, size_t* length, const char* text,
                                    size_t text_length) LQ_NOEXCEPT;

/* Sessions that use it keep it alive. */
LQ_API void lq_grammar_free(lq_grammar* grammar) LQ_NOEXCEPT;

/* *out := 1 if the text is one of the grammar's, else 0. Errors: LIMIT if it can be read in too many ways. Threads:
 * any.
 */
LQ_API lq_status lq_grammar_accepts(int32_t* out, const lq_grammar* grammar, const char* text,
                                    size_t length) LQ_NOEXCEPT;

/* The message of the last call that failed on this grammar; "" if none. Threads: any. */
LQ_API lq_status lq_grammar_error(char* out, size_t capacity, size_t* length, const lq_grammar* grammar) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
