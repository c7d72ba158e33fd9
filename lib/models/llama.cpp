// The Llama family as GGUF stores it (Llama 2 and 3, SmolLM2, Mistral, Mixtral, ...): pre-norm blocks of RMSNorm,
// rotary grouped-query attention and SwiGLU; mostly no biases. Q and K rows are permuted in the file so that the rotary
// pairs are neighbours. Llama 3.1 and 3.2 bring divisors of the rotary frequencies as a tensor, Mistral 7B's first
// version a window, Mixtral experts. Touvron et al. 2023; Grattafiori et al. 2024; Jiang et al. 2023, 2024; the GGUF
// specification's section on the llama architecture.
#include "family.hpp"
#include "hf_common.hpp"

namespace lq {
namespace {

DecoderSpec read_llama(const Metadata& m) { return read_common(m, RopeStyle::pairs); }

void write_keys(const HfConfig& c, HfKeys& keys) {
  write_common_keys(c, keys);
  if (c.text("model_type") != "mixtral") return;
  keys.u32("expert_count", c.required("num_local_experts"));
  keys.u32("expert_used_count", c.required("num_experts_per_tok"));
}

constexpr HfRule kRules[] = {
    LQ_HF_ENDS,
    LQ_HF_NORMS,
    LQ_HF_PAIRED_ATTENTION,
    LQ_HF_MLP,
    {"layers.#.block_sparse_moe.gate.weight", "blk.#.ffn_gate_inp.weight"},
    {"layers.#.block_sparse_moe.experts.#.w1.weight", "blk.#.ffn_gate_exps.weight", HfTransform::stack},
    {"layers.#.block_sparse_moe.experts.#.w2.weight", "blk.#.ffn_down_exps.weight", HfTransform::stack},
    {"layers.#.block_sparse_moe.experts.#.w3.weight", "blk.#.ffn_up_exps.weight", HfTransform::stack},
};

}  // namespace

extern const Family family_llama;
const Family family_llama{"llama", read_llama, {"llama mistral mixtral", "model.", write_keys, kRules}};

}  // namespace lq
