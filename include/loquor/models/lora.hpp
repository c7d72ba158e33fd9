// LoRA (Hu et al. 2021) over a decoder whose own weights stay as they are: what a trainer trains to make an adapter
// (models/adapter.hpp). The frozen products are those of inference, int8 over the packed weights; their gradients are
// int8 products over transposed copies, or exact (fp32 of the weights as they are) on request and in reference mode.
//
// Batches are (B, 2, T) words: T token ids, then the position that each has in its own text (texts that follow one
// another in a row do not see each other; positions of padding are 0). Targets are (B, T) ids; those below 0 do not
// count, and cost nothing in the head. Thread contract: as nn::Trainable.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loquor/models/adapter.hpp"
#include "loquor/nn/trainable.hpp"

namespace lq {

struct LoraOptions {
  std::size_t rank = 8;
  float alpha = 16;   // the product counts alpha / rank times
  float dropout = 0;  // of what the narrow matrices see, in training
  // Matrices by their names in Hugging Face checkpoints ("q_proj") or GGUF files ("attn_q"); empty: all of attention
  // and feed-forward.
  std::vector<std::string> targets;
  std::uint64_t seed = 0;
  bool exact_gradients = false;
};

class LoraModel final : public nn::Trainable {
 public:
  // A is drawn from U(-1/sqrt(in), 1/sqrt(in)), B is zero, as PEFT does it. Throws Error{invalid_argument} naming a
  // target that the model has not, Error{unsupported} for an architecture that cannot be trained yet,
  // Error{out_of_memory}.
  LoraModel(std::shared_ptr<const Decoder> model, LoraOptions options);
  ~LoraModel() override;

  const std::string& description() const noexcept override { return description_; }
  // "blk.0.attn_q.lora_a" (rank, in), "blk.0.attn_q.lora_b" (out, rank), rows as in GGUF files.
  nn::Parameters& parameters() noexcept override { return parameters_; }
  const nn::Parameters& parameters() const noexcept override { return parameters_; }
  nn::Value loss(nn::Graph& g, nn::Value x, nn::Loss kind, nn::Value target, bool carry) const override;

  const std::shared_ptr<const Decoder>& model() const noexcept { return model_; }
  const LoraOptions& options() const noexcept { return options_; }
  std::size_t nbytes() const noexcept;  // of the transposed copies

  // Goes on from an adapter file (models/adapter.hpp) of this rank and these targets. Throws as Adapter::load, and
  // Error{mismatch} naming the matrix; then nothing has changed.
  void load(const std::string& path);
  // What has been learnt so far, for sessions.
  std::shared_ptr<const Adapter> adapter() const;
  // As PEFT saves it: adapter_config.json and adapter_model.safetensors, in a folder that is made. `base` names the
  // model that it belongs to. Throws Error{io|unsupported}.
  void save_peft(const std::string& folder, const std::string& base) const;
  // As llama.cpp takes it. Throws Error{io}.
  void save_gguf(const std::string& path) const;

 private:
  void add_parameters();
  void freeze();
  struct Impl;
  std::shared_ptr<const Decoder> model_;
  LoraOptions options_;
  std::string description_;
  nn::Parameters parameters_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
