/* Part of loquor.h: stores of documents, searched by vectors and by words, and questions answered from them. */
#ifndef LOQUOR_LQ_RAG_H
#define LOQUOR_LQ_RAG_H

#include "lq_eval.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Documents in one SQLite file: their texts, cut into chunks, with vectors and a full-text index. One store is used by
 * one thread at a time; any number of stores, in any number of processes, may read a file while one writes it. A
 * library built without stores (LQ_RAG=OFF) answers UNSUPPORTED to lq_store_open. */
typedef struct lq_store lq_store;

/* How a document is cut into chunks. */
typedef enum lq_text_kind {
  LQ_TEXT_PLAIN = 0,    /* paragraphs and sentences */
  LQ_TEXT_MARKDOWN = 1, /* headings begin sections; fenced code stays together */
  LQ_TEXT_CODE = 2,     /* definitions that begin at the margin */
  LQ_TEXT_HTML = 3      /* a page, kept as Markdown: no scripts, styles or navigation */
} lq_text_kind;

typedef struct lq_store_options {
  uint32_t struct_size;
  int32_t read_only;
  /* Of a new store; an old one keeps what it was made with. */
  uint32_t chunk_tokens;   /* at most so many in a chunk; 0 = what the encoder takes, at most 200 */
  uint32_t overlap;        /* tokens of a chunk that the next one begins with, in whole sentences */
  int32_t whole_documents; /* non-zero: one chunk each; the vector is of its beginning */
  int32_t reserved;        /* 0 */
} lq_store_options;

#define LQ_STORE_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_store_options), 0, 0, 32, 0, 0 }

typedef struct lq_document {
  uint32_t struct_size;
  int32_t kind;      /* an lq_text_kind */
  const char* key;   /* what it is known by: a path, an address. A document of a known key replaces the one before */
  const char* text;  /* UTF-8 */
  size_t length;     /* of the text; LQ_NTS = to the NUL */
  const char* title; /* these three may be NULL */
  const char* source;
  const char* metadata; /* a JSON object, for filters */
  double trust;         /* 0 to 1 */
} lq_document;

#define LQ_DOCUMENT_INIT \
  { (uint32_t)sizeof(lq_document), LQ_TEXT_PLAIN, NULL, NULL, LQ_NTS, NULL, NULL, NULL, 1.0 }

typedef enum lq_search_mode {
  LQ_SEARCH_HYBRID = 0, /* reciprocal rank fusion of the other two (Cormack et al. 2009) */
  LQ_SEARCH_DENSE = 1,  /* cosine of vectors, exact over all */
  LQ_SEARCH_WORDS = 2   /* BM25 of SQLite's FTS5, words stemmed as English */
} lq_search_mode;

typedef struct lq_search_options {
  uint32_t struct_size;
  int32_t mode;          /* an lq_search_mode */
  uint32_t k;            /* most chunks found; 0 = 5 */
  uint32_t per_document; /* most chunks of one document; 0 = any number */
  const char* filter;    /* NULL, or a JSON object whose members must all hold of the metadata: {"lang": "en", "year":
                            {"$gte":    2020, "$lt": 2024}, "tags": {"$contains": "x"}, "$or": [{...}, {...}]}; also $eq $ne
                            $gt $lte    $in $exists $and $not; "a.b" is b in the object a */
  double min_trust;      /* of documents */
  double mmr;    /* 1: by score alone; less: each next chunk also for being unlike those before (Carbonell & Goldstein
                    1998) */
  int32_t exact; /* non-zero: not by the approximate index, if there is one */
} lq_search_options;

#define LQ_SEARCH_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_search_options), LQ_SEARCH_HYBRID, 0, 0, NULL, 0, 1.0, 0 }

/* A piece of text as it is made; non-zero ends it. */
typedef int (*lq_text_fn)(const char* text, size_t length, void* user);

typedef struct lq_ask_options {
  uint32_t struct_size;
  uint32_t max_tokens; /* of the answer; 0 = 200 */
  uint32_t budget;     /* tokens of prompt and answer; 0 = what the session holds. Sources without room are left out */
  int32_t no_guards; /* non-zero: believe all sources. Otherwise those that give orders to the model are left out; each
                        of the rest is asked by itself, and of different answers one is believed: that of a source at
                        least twice as trusted, or else of the most trust together */
  double threshold; /* below this cosine of the best source there is no answer; without vectors: if no word is shared */
  const char* instructions;        /* NULL = answer briefly from the sources alone, and cite them */
  const lq_search_options* search; /* NULL = the defaults */
  lq_text_fn stream;               /* NULL, or called with the answer as it is made */
  void* stream_user;
  lq_cancel* cancel;
} lq_ask_options;

#define LQ_ASK_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_ask_options), 0, 0, 0, 0.35, NULL, NULL, NULL, NULL, NULL }

/* Opens the file, or makes it. `encoder` (a text encoder's model) makes the vectors and is kept alive; NULL: only words
 * are searched, and a store that has vectors can only be read. Errors: MISMATCH (made with another encoder),
 * UNSUPPORTED (of a newer version), BAD_FILE (no store), IO, INVALID_ARGUMENT, OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_store_open(lq_store** out, const char* path, lq_model* encoder,
                               const lq_store_options* options) LQ_NOEXCEPT;

LQ_API void lq_store_free(lq_store* store) LQ_NOEXCEPT;

/* Adds documents, some at a time, each with all it has or not at all: what `progress` was told of is kept whatever
 * happens, a killed process included. `out` (may be NULL), by lq_report_json: {"added", "replaced", "unchanged",
 * "duplicates": the same text under another key, left out, "chunks", "failed": [{"key", "reason"}]}. Documents that are
 * empty or not UTF-8 are left out and told of there. `progress` and `cancel` may be NULL. Errors: IO (read-only, full,
 * or another writer did not finish within 5 s), CANCELLED; what was told of before is kept. Threads: one. */
LQ_API lq_status lq_store_add(lq_report** out, lq_store* store, const lq_document* documents, size_t count,
                              lq_count_fn progress, void* user, const lq_cancel* cancel) LQ_NOEXCEPT;

/* *found (may be NULL): whether there was one of this key. Errors: IO. Threads: one. */
LQ_API lq_status lq_store_remove(int32_t* found, lq_store* store, const char* key) LQ_NOEXCEPT;

/* The text of a document, in which "begin" and "end" of hits are bytes, written as lq_detokenize writes. Errors:
 * NOT_FOUND. Threads: one. */
LQ_API lq_status lq_store_text(char* out, size_t capacity, size_t* length, lq_store* store,
                               const char* key) LQ_NOEXCEPT;

/* Makes an approximate index of the vectors, or makes it anew, in a file beside the store's: worth it from some ten
 * thousand chunks on. Searches without a filter then use it; chunks added later are searched one by one beside it,
 * those removed are left out. `progress` (may be NULL) is told of the vectors done and all; non-zero ends it. Errors:
 * UNSUPPORTED without vectors, INVALID_ARGUMENT for an empty store, CANCELLED, IO, OUT_OF_MEMORY; the index before
 * stays. Threads: one. */
LQ_API lq_status lq_store_index(lq_store* store, lq_count_fn progress, void* user, const lq_cancel* cancel) LQ_NOEXCEPT;

/* {"documents", "chunks", "dimension", "encoder", "chunk_tokens", "overlap", "whole_documents", "indexed": chunks that
 * the approximate index has, as a search last saw it}; with `keys` non-zero
 * also "keys": [...]. Threads: one. */
LQ_API lq_status lq_store_info(lq_report** out, lq_store* store, int32_t keys) LQ_NOEXCEPT;

/* The best chunks first: [{"key", "title", "source", "heading", "begin", "end": bytes of the document's text, "text",
 * "trust", "score", "bm25", "cosine": null without vectors, "metadata"}]. Sees all that any process had committed when
 * it began. Errors: INVALID_ARGUMENT (the filter), UNSUPPORTED (dense search without vectors), IO. Threads: one. */
LQ_API lq_status lq_store_search(lq_report** out, lq_store* store, const char* query, size_t length,
                                 const lq_search_options* options) LQ_NOEXCEPT;

/* Answers a question from the store by the session's model, greedily; the session's contents are replaced. The report:
 * {"text", "abstained": nothing relevant was found, or no answer in it, "conflict": sources disagree, "citations":
 * [{"number", "begin", "end": bytes of the text}], "sources": [as lq_store_search, and "number": as cited, 0 if not
 * shown, "flags": of "instructions", "disputed", "low_trust", "no_room", "beside", "says": its own answer],
 * "prompt_tokens", "answer_tokens"}. Errors: as lq_store_search and lq_session_generate. Threads: one, for the store
 * and the session. */
LQ_API lq_status lq_store_ask(lq_report** out, lq_store* store, lq_session* session, const char* question,
                              size_t length, const lq_ask_options* options) LQ_NOEXCEPT;

/* The message of the last call that failed on this store; "" if none. Threads: any. */
LQ_API lq_status lq_store_error(char* out, size_t capacity, size_t* length, const lq_store* store) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
