// Qwen 3 as a mixture of experts. Qwen team 2025; transformers, modeling_qwen3_moe.py.
#include "family.hpp"
#include "hf_common.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

DecoderSpec read_qwen3moe(const Metadata& m) {
  DecoderSpec s = read_common(m, RopeStyle::halves);
  s.qk_norm = QkNorm::heads;
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  LQ_CHECK(c.count("decoder_sparse_step").value_or(1) == 1 && c.size("mlp_only_layers") == 0, Code::unsupported, "'",
           c.name(), "': models with experts in only some layers are not supported");
  write_common_keys(c, keys);
  keys.u32("expert_count", c.count("num_experts") ? c.required("num_experts") : c.required("num_local_experts"));
  keys.u32("expert_used_count", c.required("num_experts_per_tok"));
  keys.u32("expert_feed_forward_length", c.required("moe_intermediate_size"));
  keys.flag("expert_weights_norm", c.flag("norm_topk_prob").value_or(false));
}

constexpr HfRule kRules[] = {
    LQ_HF_ENDS,
    LQ_HF_NORMS,
    LQ_HF_ATTENTION,
    LQ_HF_WEIGHT("self_attn.q_norm", "attn_q_norm"),
    LQ_HF_WEIGHT("self_attn.k_norm", "attn_k_norm"),
    LQ_HF_WEIGHT("mlp.gate", "ffn_gate_inp"),
    {"layers.#.mlp.experts.#.gate_proj.weight", "blk.#.ffn_gate_exps.weight", HfTransform::stack},
    {"layers.#.mlp.experts.#.up_proj.weight", "blk.#.ffn_up_exps.weight", HfTransform::stack},
    {"layers.#.mlp.experts.#.down_proj.weight", "blk.#.ffn_down_exps.weight", HfTransform::stack},
};

}  // namespace

extern const Family family_qwen3moe;
const Family family_qwen3moe{"qwen3moe", read_qwen3moe, {"qwen3_moe", "model.", write_keys, kRules}};

}  // namespace lq
