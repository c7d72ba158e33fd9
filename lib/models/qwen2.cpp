// Qwen 2 and 2.5 (dense): the Llama shape with biases on Q, K and V. GGUF keeps Q and K rows as the checkpoint has
// them, so a rotary pair is half a head apart. Yang et al. 2024 (Qwen2 technical report); transformers,
// modeling_qwen2.py.
#include "family.hpp"
#include "hf_common.hpp"

namespace lq {
namespace {

DecoderSpec read_qwen2(const Metadata& m) { return read_common(m, RopeStyle::halves); }

constexpr HfRule kRules[] = {LQ_HF_ENDS, LQ_HF_NORMS, LQ_HF_ATTENTION, LQ_HF_MLP};

}  // namespace

extern const Family family_qwen2;
const Family family_qwen2{"qwen2", read_qwen2, {"qwen2", "model.", write_common_keys, kRules}};

}  // namespace lq
