// OLMo 2: norms of what each half of a layer gives, none of what it takes, and of all queries and keys together. OLMo
// team 2024; transformers, modeling_olmo2.py.
#include "family.hpp"
#include "hf_common.hpp"

namespace lq {
namespace {

DecoderSpec read_olmo2(const Metadata& m) {
  DecoderSpec s = read_common(m, RopeStyle::halves);
  s.pre_norm = false;
  s.post_norm = true;
  s.qk_norm = QkNorm::whole;
  return s;
}

constexpr HfRule kRules[] = {
    LQ_HF_ENDS,
    LQ_HF_ATTENTION,
    LQ_HF_MLP,
    LQ_HF_WEIGHT("self_attn.q_norm", "attn_q_norm"),
    LQ_HF_WEIGHT("self_attn.k_norm", "attn_k_norm"),
    LQ_HF_WEIGHT("post_attention_layernorm", "post_attention_norm"),
    LQ_HF_WEIGHT("post_feedforward_layernorm", "post_ffw_norm"),
};

}  // namespace

extern const Family family_olmo2;
const Family family_olmo2{"olmo2", read_olmo2, {"olmo2", "model.", write_common_keys, kRules}};

}  // namespace lq
