// Qwen 2 and 2.5 (dense): the Llama shape with biases on Q, K and V. GGUF keeps Q and K rows as the checkpoint has
// them, so a rotary pair is half a head apart. Yang et al. 2024 (Qwen2 technical report); transformers,
// modeling_qwen2.py.
#include "family.hpp"

namespace lq {
namespace {

DecoderSpec read_qwen2(const Metadata& m) { return read_llama_like(m, RopeStyle::halves); }

}  // namespace

extern const Family family_qwen2;
const Family family_qwen2{"qwen2", read_qwen2, {}};

}  // namespace lq
