// Qwen 3 (dense): Qwen 2 without biases, with a norm of each head of queries and keys. Qwen team 2025; transformers,
// modeling_qwen3.py.
#include "family.hpp"
#include "hf_common.hpp"

namespace lq {
namespace {

DecoderSpec read_qwen3(const Metadata& m) {
  DecoderSpec s = read_common(m, RopeStyle::halves);
  s.qk_norm = QkNorm::heads;
  return s;
}

constexpr HfRule kRules[] = {
    LQ_HF_ENDS,
    LQ_HF_NORMS,
    LQ_HF_ATTENTION,
    LQ_HF_MLP,
    LQ_HF_WEIGHT("self_attn.q_norm", "attn_q_norm"),
    LQ_HF_WEIGHT("self_attn.k_norm", "attn_k_norm"),
};

}  // namespace

extern const Family family_qwen3;
const Family family_qwen3{"qwen3", read_qwen3, {"qwen3", "model.", write_common_keys, kRules}};

}  // namespace lq
