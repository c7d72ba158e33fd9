// Fine-tuning a language model on a file of examples: LoRA over its weights as they are, to an adapter.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "loquor/models/lora.hpp"
#include "loquor/train/trainer.hpp"
#include "loquor/tune/texts.hpp"

namespace lq {

struct FinetuneOptions {
  std::string data;          // JSONL (tune/texts.hpp)
  std::string eval_data;     // the same, not trained on; "" = none
  double eval_fraction = 0;  // of `data` that is held out instead, drawn by the seed
  std::string out;   // folder: adapter_config.json, adapter_model.safetensors (PEFT's), adapter.gguf (llama.cpp's)
  std::string base;  // the model's name in the adapter's configuration; "" = the name in its file
  LoraOptions lora;
  TuneFormat format;
  bool pack = true;
  // checkpoint is set by finetune(): a file in `out` that a later call with the same options goes on from; it is gone
  // when the adapter is saved. Batches are of rows of format.max_tokens tokens.
  TrainOptions train;
  std::shared_ptr<const std::atomic<bool>> cancel;
  ProgressFn progress;  // false ends training, with the adapter of what has been learnt
};

struct FinetuneReport {
  TuneTexts train, eval;  // without their texts
  std::size_t rows = 0, row_tokens = 0;
  std::size_t parameters = 0;  // that are trained
  TrainProgress end;
  double eval_loss_before = 0, eval_loss_after = 0;  // nats a learnt token; NaN without texts to evaluate on
  double seconds = 0;                                // of training
};

// What train options usually are for LoRA: AdamW, 2e-4 falling by a cosine, 3 % warm-up left to the caller, norm 1.
TrainOptions finetune_defaults();

// Throws as read_tune_texts, LoraModel and Trainer::fit; Error{invalid_argument} for data without a text to learn from;
// Error{cancelled} after a checkpoint of the last whole update.
FinetuneReport finetune(const std::shared_ptr<const Model>& model, const FinetuneOptions& options);

std::string to_json(const FinetuneReport& report);

}  // namespace lq
