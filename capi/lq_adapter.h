/* Part of loquor.h: LoRA adapters, which change what a model says without another copy of its weights. */
#ifndef LOQUOR_LQ_ADAPTER_H
#define LOQUOR_LQ_ADAPTER_H

#include "lq_generate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For some of a model's matrices W two narrow ones: y = W x + scale * alpha / rank * B (A x). Immutable. */
typedef struct lq_adapter lq_adapter;

/* `path` is a GGUF file of the type "adapter" (as llama.cpp's convert_lora_to_gguf.py writes it) or a folder as PEFT
 * saves it (adapter_config.json, adapter_model.safetensors). The adapter keeps the model alive. Errors: MISMATCH for
 * another architecture or other shapes, UNSUPPORTED naming what adapters cannot change here, NOT_FOUND, IO, BAD_FILE,
 * OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_adapter_load(lq_adapter** out, lq_model* model, const char* path) LQ_NOEXCEPT;

/* Sessions that use it keep it alive. */
LQ_API void lq_adapter_free(lq_adapter* adapter) LQ_NOEXCEPT;

/* How many matrices it changes. Threads: any. */
LQ_API lq_status lq_adapter_targets(size_t* out, const lq_adapter* adapter) LQ_NOEXCEPT;

/* From now on the session computes with these adapters added to the weights, each times its scale (`scales` NULL: all
 * 1); count 0: with the weights alone. The tokens stay, what was computed of them otherwise is computed again when it
 * is needed; a generation is given up. Forks have the same adapters. Sessions with different adapters may be in one
 * batch. A session with adapters takes no part in a prefix cache, and its saved state loads only with the same ones.
 * Errors: INVALID_ARGUMENT for another model's adapter or a scale that is not finite, LIMIT for over 64. Threads: one.
 */
LQ_API lq_status lq_session_set_adapters(lq_session* session, lq_adapter* const* adapters, const float* scales,
                                         size_t count) LQ_NOEXCEPT;

/* Writes the GGUF file `target`: `source` (as in lq_quantize) with the adapters in `paths` (as lq_adapter_load takes
 * them) added to its weights, each times its scale (`scales` NULL: all 1). `type` as in lq_quantize; NULL or "" leaves
 * each tensor its own (what adapters change and cannot be written in its own becomes Q8_0). The sums are rounded to the
 * type that the matrix has in `target`: in F16 or Q8_0 next to nothing is lost, in 4 bits small changes may be. `out`
 * may be NULL. Errors: as lq_quantize and lq_adapter_load; INVALID_ARGUMENT for no adapters or a scale that is not
 * finite; LIMIT for over 64. Threads: any. */
LQ_API lq_status lq_merge_adapters(lq_quantize_result* out, lq_context* context, const char* source,
                                   const char* target, const char* type, const char* const* paths, const float* scales,
                                   size_t count, const lq_quantize_options* options) LQ_NOEXCEPT;

/* The message of the last call that failed on this adapter; "" if none. Threads: any. */
LQ_API lq_status lq_adapter_error(char* out, size_t capacity, size_t* length, const lq_adapter* adapter) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
