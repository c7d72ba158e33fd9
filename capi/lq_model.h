/* Part of loquor.h: models, what is known about them before and after loading, and the catalogue of models by name. */
#ifndef LOQUOR_LQ_MODEL_H
#define LOQUOR_LQ_MODEL_H

#include "lq_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Weights and vocabulary. Immutable: share one model between all sessions and threads. */
typedef struct lq_model lq_model;

/* How the weights are multiplied. */
typedef enum lq_compute {
  LQ_COMPUTE_QUANTIZED = 0, /* the fast path: activations are rounded to 8 bits where the weights are quantised */
  LQ_COMPUTE_F32 = 1        /* the reference path: every weight is expanded to f32; slower, more memory */
} lq_compute;

/* fraction runs from 0 to 1. Non-zero return cancels: LQ_ERR_CANCELLED. */
typedef int (*lq_progress_fn)(float fraction, void* user);

typedef struct lq_model_options {
  uint32_t struct_size;
  int32_t compute;         /* an lq_compute */
  int32_t vocab_only;      /* non-zero: read the vocabulary and metadata only. No session can be made from the model */
  int32_t private_copy;    /* non-zero: read the file into memory instead of mapping it. A mapped file must not be
                              truncated while it is being loaded (the operating system raises SIGBUS) */
  uint64_t memory_cap;     /* bytes that weights and tables may take; 0 = no cap. Checked before allocating:
                              LQ_ERR_OUT_OF_MEMORY */
  lq_progress_fn progress; /* called on the loading thread */
  void* progress_user;
  lq_cancel* cancel; /* polled at least every 20 ms while loading */
} lq_model_options;

#define LQ_MODEL_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_model_options), LQ_COMPUTE_QUANTIZED, 0, 0, 0, NULL, NULL, NULL }

/* Loads a model. `source` is a short name of the catalogue ("smollm2", looked up in the user's cache) or else a path:
 * of a GGUF file (of a split model: its first part), or of a Hugging Face folder (config.json, safetensors,
 * tokenizer.json). Errors: NOT_FOUND, IO, BAD_FILE, UNSUPPORTED (architecture or tensor type, named), OUT_OF_MEMORY,
 * CANCELLED. Threads: any. */
LQ_API lq_status lq_model_load(lq_model** out, lq_context* context, const char* source,
                               const lq_model_options* options) LQ_NOEXCEPT;

/* The same from `size` bytes of a GGUF file in memory, which must stay unchanged until the model is destroyed. */
LQ_API lq_status lq_model_load_memory(lq_model** out, lq_context* context, const void* data, size_t size,
                                      const lq_model_options* options) LQ_NOEXCEPT;

/* Sessions of the model keep working. Threads: any. */
LQ_API void lq_model_free(lq_model* model) LQ_NOEXCEPT;

/* The message of the last call that failed on this model; "" if none. Threads: any. */
LQ_API lq_status lq_model_error(char* out, size_t capacity, size_t* length, const lq_model* model) LQ_NOEXCEPT;

/* ---- What is in a model ---------------------------------------------------------------------------------------- */

typedef struct lq_model_info {
  uint32_t struct_size;
  uint32_t vocab_only;   /* 1 if the file has no weights (or they were not asked for); dimensions may then be 0 */
  char architecture[64]; /* "llama", "qwen2"; NUL-terminated, cut if longer */
  char name[128];        /* the model's own name for itself, "" if it has none */
  uint32_t n_vocab;      /* vocabulary size */
  uint32_t n_layer;
  uint32_t d_model;   /* width of the residual stream */
  uint32_t n_head;    /* query heads */
  uint32_t n_kv_head; /* key/value heads */
  uint32_t head_dim;
  uint32_t d_ff;        /* width of the feed-forward block */
  uint32_t n_ctx_train; /* positions the model was trained with */
  uint32_t n_ctx;       /* the context size that the memory figures below are for */
  uint32_t has_chat_template;
  uint64_t n_params; /* numbers in all tensors */
  uint64_t file_bytes;
  uint64_t weight_bytes;    /* memory that the loaded weights and tables take, LQ_COMPUTE_QUANTIZED */
  uint64_t kv_bytes;        /* memory of one session's KV cache, full, at n_ctx */
  uint64_t workspace_bytes; /* memory of one session besides its KV cache */
} lq_model_info;

#define LQ_MODEL_INFO_INIT \
  { (uint32_t)sizeof(lq_model_info), 0, {0}, {0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef struct lq_inspect_options {
  uint32_t struct_size;
  uint32_t n_ctx;      /* context size for the memory figures; 0 = n_ctx_train */
  const char* kv_type; /* "f16" (default), "q8_0", "f32" */
} lq_inspect_options;

#define LQ_INSPECT_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_inspect_options), 0, NULL }

/* Reads the header of a model file without loading its weights. `source` as in lq_model_load. Threads: any. */
LQ_API lq_status lq_model_inspect(lq_model_info* out, lq_context* context, const char* source,
                                  const lq_inspect_options* options) LQ_NOEXCEPT;

/* The same as a JSON object, with besides: "path", "tokenizer", "tensor_types" (an object: type -> {"tensors",
 * "bytes"}), "tensors" (an array of {"name", "type", "shape"}, outermost dimension first) and "metadata" (arrays of
 * more than 16 elements as {"type", "length"}). */
LQ_API lq_status lq_model_inspect_json(char* out, size_t capacity, size_t* length, lq_context* context,
                                       const char* source, const lq_inspect_options* options) LQ_NOEXCEPT;

/* About a loaded model; `options` as above. Threads: any. */
LQ_API lq_status lq_model_get_info(lq_model_info* out, const lq_model* model,
                                   const lq_inspect_options* options) LQ_NOEXCEPT;

/* Wall time that loading took, in milliseconds. Threads: any. */
LQ_API lq_status lq_model_load_ms(double* out, const lq_model* model) LQ_NOEXCEPT;

/* ---- Metadata: the key/value pairs of the file, in its order ----------------------------------------------------- */

LQ_API lq_status lq_model_metadata_count(size_t* out, const lq_model* model) LQ_NOEXCEPT;

/* Errors: INVALID_ARGUMENT for an index out of range. Threads: any. */
LQ_API lq_status lq_model_metadata_key(char* out, size_t capacity, size_t* length, const lq_model* model,
                                       size_t index) LQ_NOEXCEPT;

/* The value as text: a string as it is, a number in decimal, "true" or "false", an array as JSON. Errors: NOT_FOUND.
 * Threads: any. */
LQ_API lq_status lq_model_metadata_value(char* out, size_t capacity, size_t* length, const lq_model* model,
                                         const char* key) LQ_NOEXCEPT;

/* ---- Quantising: a model file with its weights in another type ----------------------------------------------------
 */

typedef struct lq_quantize_options {
  uint32_t struct_size;
  uint32_t reserved;       /* 0 */
  const char* head;        /* type of the tensor that makes the logits (output.weight; if there is none,
                              token_embd.weight); NULL or "" = Q8_0 if `type` has 4 bits, else `type` */
  lq_progress_fn progress; /* called on the calling thread */
  void* progress_user;
  lq_cancel* cancel; /* polled at least every 20 ms, but not while the system flushes the finished file to the disk */
} lq_quantize_options;

#define LQ_QUANTIZE_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_quantize_options), 0, NULL, NULL, NULL, NULL }

typedef struct lq_quantize_result {
  uint32_t struct_size;
  uint32_t tensors;
  uint32_t converted;   /* of them; the others were copied as they are (vectors, norms, what has the type already) */
  uint32_t requantized; /* converted tensors that were quantised in the source too, so are rounded twice */
  uint32_t odd;         /* converted tensors that became F16, because their rows are not a multiple of 32 */
  uint32_t reserved;
  const char* head; /* the type that the head has now; a constant */
  uint64_t source_bytes;
  uint64_t target_bytes;
  uint32_t merged; /* matrices that adapters changed (lq_merge_adapters) */
  uint32_t reserved2;
} lq_quantize_result;

#define LQ_QUANTIZE_RESULT_INIT \
  { (uint32_t)sizeof(lq_quantize_result), 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0 }

/* Writes the GGUF file `target`: `source` (as in lq_model_load; quantised or not, or a Hugging Face folder) with its
 * weight matrices in `type`, one of "F32", "F16", "BF16", "Q8_0", "Q4_0" and "Q4_1" in any case. Their bytes equal
 * those of llama.cpp's quantiser without an importance matrix. All else in the file is copied; only general.file_type
 * and general.quantization_version change. The file is written under a temporary name beside `target` and renamed when
 * it is complete: on failure what was there before is untouched. Uses the context's threads and some MiB of memory,
 * whatever the file's size. `out` may be NULL. Errors: INVALID_ARGUMENT for an unknown type (the message lists those
 * known) and for a target that is the source or not a regular file; NOT_FOUND; IO (with the bytes that could be
 * written); BAD_FILE, also for a weight that is not finite or too large for the type (tensor and row are named);
 * UNSUPPORTED for a tensor type that this build cannot read (named); OUT_OF_MEMORY; CANCELLED. Threads: any. */
LQ_API lq_status lq_quantize(lq_quantize_result* out, lq_context* context, const char* source, const char* target,
                             const char* type, const lq_quantize_options* options) LQ_NOEXCEPT;

/* ---- The catalogue: models known by a short name ---------------------------------------------------------------- */

typedef struct lq_catalogue_entry {
  uint32_t struct_size;
  uint32_t cached;     /* 1 if the file is in the user's cache with the right size */
  const char* name;    /* "smollm2"; these strings are constants */
  const char* title;   /* "SmolLM2-135M-Instruct" */
  const char* file;    /* file name in the cache */
  const char* source;  /* where it comes from, in words */
  const char* licence; /* SPDX identifier */
  const char* sha256;  /* 64 hexadecimal digits */
  uint64_t bytes;
} lq_catalogue_entry;

#define LQ_CATALOGUE_ENTRY_INIT \
  { (uint32_t)sizeof(lq_catalogue_entry), 0, NULL, NULL, NULL, NULL, NULL, NULL, 0 }

LQ_API lq_status lq_catalogue_count(size_t* out) LQ_NOEXCEPT;

/* Errors: INVALID_ARGUMENT for an index out of range. Threads: any. */
LQ_API lq_status lq_catalogue_get(lq_catalogue_entry* out, size_t index) LQ_NOEXCEPT;

/* The path that lq_model_load would open for `source`: where a short name is (or would be) cached, or the path itself.
 * Errors: NOT_FOUND for what is neither a known name nor an existing file (the message lists the names). Threads: any.
 */
LQ_API lq_status lq_model_path(char* out, size_t capacity, size_t* length, const char* source) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
