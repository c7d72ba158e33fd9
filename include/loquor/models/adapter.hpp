// LoRA adapters (Hu et al. 2021): for some matrices W of a decoder a product of two narrow ones that is added to it,
// y = W x + scale * (alpha / rank) * B (A x). The decoder's packed weights stay as they are, so sessions with different
// adapters share them and may be in one batch. Immutable; shareable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loquor/core/storage.hpp"
#include "loquor/models/decoder.hpp"

namespace lq {

class Adapter {
 public:
  // For one input of a layer: all of the adapter's matrices that see it, A on one another and B side by side, as panels
  // for nn/gemm.hpp. Columns of B are those of the decoder's fused output; what the adapter leaves alone is zero.
  struct LowRank {
    std::size_t rank = 0, in = 0, out = 0;  // rank 0: nothing
    const float *a = nullptr, *b = nullptr;
  };
  struct Layer {
    LowRank qkv, o, gate_up, down;
  };

  // `path` is a GGUF file of the type "adapter" (llama.cpp's convert_lora_to_gguf.py) or a folder as PEFT saves it
  // (adapter_config.json, adapter_model.safetensors). Throws Error{mismatch} for another architecture or other shapes,
  // Error{unsupported} naming the target for matrices that adapters cannot change here, Error{not_found|io|bad_file|
  // out_of_memory}.
  static std::shared_ptr<const Adapter> load(std::shared_ptr<const Decoder> model, const std::string& path);

  const std::shared_ptr<const Decoder>& model() const noexcept { return model_; }
  const std::vector<Layer>& layers() const noexcept { return layers_; }
  std::size_t max_rank() const noexcept { return max_rank_; }  // of all LowRanks
  std::size_t targets() const noexcept { return targets_; }    // matrices that it changes
  std::size_t nbytes() const noexcept { return storage_.size(); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }  // of the numbers

 private:
  friend struct AdapterBuilder;
  Adapter() = default;
  std::shared_ptr<const Decoder> model_;
  std::vector<Layer> layers_;
  std::size_t max_rank_ = 0, targets_ = 0;
  std::uint64_t fingerprint_ = 0;
  Storage storage_;
};

}  // namespace lq
