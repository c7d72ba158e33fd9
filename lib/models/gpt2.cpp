// GPT-2: LayerNorm, learned positions, biases everywhere, GELU without a gate; Q, K and V in one matrix. Radford et al.
// 2019; transformers, modeling_gpt2.py, whose matrices are (in, out).
#include "family.hpp"
#include "hf_common.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

DecoderSpec read_gpt2(const Metadata& m) {
  DecoderSpec s = read_with_layer_norm(m, RopeStyle::halves);
  s.learned_positions = true;
  s.ffn = FfnKind::gelu_tanh;
  s.rope_dim = 0;
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  check_activation(c, "gelu_new gelu_pytorch_tanh");
  LQ_CHECK(c.flag("scale_attn_weights").value_or(true) && !c.flag("scale_attn_by_inverse_layer_idx").value_or(false),
           Code::unsupported, "'", c.name(), "': only scores divided by the root of a head's width are supported");
  const std::size_t width = c.required("n_embd");
  keys.u32("block_count", c.required("n_layer"));
  keys.u32("context_length", c.required("n_positions"));
  keys.u32("embedding_length", width);
  keys.u32("feed_forward_length", c.count("n_inner").value_or(4 * width));
  keys.u32("attention.head_count", c.required("n_head"));
  keys.f32("attention.layer_norm_epsilon", c.number("layer_norm_epsilon").value_or(1e-5));
}

#define LQ_GPT2(from, to) \
  {"h.#." from ".weight", "blk.#." to ".weight", HfTransform::transposed}, { "h.#." from ".bias", "blk.#." to ".bias" }
#define LQ_GPT2_NORM(from, to) \
  {from ".weight", to ".weight"}, { from ".bias", to ".bias" }
constexpr HfRule kRules[] = {
    {"wte.weight", "token_embd.weight"},
    {"wpe.weight", "position_embd.weight"},
    {"lm_head.weight", "output.weight"},
    LQ_GPT2_NORM("ln_f", "output_norm"),
    LQ_GPT2_NORM("h.#.ln_1", "blk.#.attn_norm"),
    LQ_GPT2_NORM("h.#.ln_2", "blk.#.ffn_norm"),
    LQ_GPT2("attn.c_attn", "attn_qkv"),
    LQ_GPT2("attn.c_proj", "attn_output"),
    LQ_GPT2("mlp.c_fc", "ffn_up"),
    LQ_GPT2("mlp.c_proj", "ffn_down"),
    {"h.#.attn.bias", "", HfTransform::skip},
    {"h.#.attn.masked_bias", "", HfTransform::skip},
};
#undef LQ_GPT2
#undef LQ_GPT2_NORM

}  // namespace

extern const Family family_gpt2;
const Family family_gpt2{"gpt2", read_gpt2, {"gpt2", "transformer.", write_keys, kRules}};

}  // namespace lq
