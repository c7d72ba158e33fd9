/* Part of loquor.h: fine-tuning language models. */
#ifndef LOQUOR_LQ_TUNE_H
#define LOQUOR_LQ_TUNE_H

#include "lq_eval.h"
#include "lq_train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lq_finetune_options {
  uint32_t struct_size;
  uint32_t rank;              /* of the adapter (LoRA, Hu et al. 2021); 0 = 8 */
  float alpha;                /* what was learnt counts alpha / rank times; 0 = 2 * rank */
  float dropout;              /* of what the adapter's narrow matrices see */
  const char* const* targets; /* target_count names of matrices ("q_proj"); none: all of attention and feed-forward */
  size_t target_count;
  const char* data;      /* JSONL: {"messages": [...]}, {"prompt", "completion"} or {"text"}; lq_finetune says more */
  const char* eval_data; /* the same, not trained on; NULL = none */
  double eval_fraction;  /* of `data` held out instead, drawn by the seed; 0 to below 1 */
  const char* out;       /* a folder; made if it is not there */
  const char* base;      /* the model's name in the adapter's configuration; NULL = the name in its file */
  uint32_t
      max_tokens;     /* of a text; longer ones are left out, and counted. 0 = 512, or the model's context if smaller */
  int32_t all_tokens; /* non-zero: prompts and what users say are learnt too */
  int32_t no_packing; /* non-zero: one text in a row, otherwise as many as fit, which do not see each other */
  int32_t reserved;   /* 0 */
  /* NULL = AdamW, rate 2e-4 falling by a cosine, clipped at norm 1, batches of 4 rows, one epoch. Batches are of rows
   * of max_tokens tokens. Its checkpoint must be NULL: it is a file in `out`. A struct given is taken as it is, its
   * zeros meaning what they mean to lq_trainer_create. */
  const lq_train_options* train;
  lq_train_fn progress; /* after each update; non-zero ends training, with the adapter of what has been learnt */
  void* progress_user;
  lq_cancel* cancel;
} lq_finetune_options;

#define LQ_FINETUNE_OPTIONS_INIT                                                                                      \
  {                                                                                                                   \
    (uint32_t)sizeof(lq_finetune_options), 0, 0, 0, NULL, 0, NULL, NULL, 0, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, \
        NULL                                                                                                          \
  }

/* Trains a LoRA adapter for the model, whose own weights stay as they are, quantised. Learnt are: of "messages", by the
 * model's chat template, what the assistant says and the token that ends its turn; of "prompt" and "completion", as
 * they are, the completion and the token that ends a text; of "text" all of it ("end": false in either leaves out that
 * token, for pieces that go on elsewhere). The folder `out` then holds
 * adapter_config.json and adapter_model.safetensors as PEFT saves them, and adapter.gguf as llama.cpp takes it;
 * lq_adapter_load takes either. While it trains the folder has a checkpoint, from which the same call goes on after it
 * was cancelled or killed, with the same bits as one that was not; it goes when the adapter is saved. The report
 * (lq_report_json): {"train": {"lines", "too_long", "empty", "tokens", "learnt"}, "rows", "row_tokens", "parameters",
 * "steps", "steps_planned", "skipped", "loss", "seconds", and with texts to evaluate on "eval", "eval_loss_before",
 * "eval_loss_after", "perplexity_before", "perplexity_after"}; losses in nats a learnt token.
 * Errors: IO, BAD_FILE naming file and line, NOT_FOUND (messages, and the model has no chat template),
 * INVALID_ARGUMENT, UNSUPPORTED (an architecture that cannot be trained), MISMATCH (a checkpoint of other options),
 * CANCELLED, LIMIT (losses that are not finite), OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_finetune(lq_report** out, lq_model* model, const lq_finetune_options* options) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
