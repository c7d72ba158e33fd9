// StarCoder 2: LayerNorm, biases everywhere, GELU without a gate, rotary grouped-query attention, a window. Lozhkov et
// al. 2024; transformers, modeling_starcoder2.py.
#include "family.hpp"
#include "hf_common.hpp"

namespace lq {
namespace {

DecoderSpec read_starcoder2(const Metadata& m) {
  DecoderSpec s = read_with_layer_norm(m, RopeStyle::halves);
  s.ffn = FfnKind::gelu_tanh;
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  check_activation(c, "gelu_pytorch_tanh");
  write_sizes(c, keys);
  write_rope(c, keys, head_dim_of(c));
  write_window(c, keys);
  keys.f32("attention.layer_norm_epsilon", c.number("norm_epsilon").value_or(1e-5));
}

constexpr HfRule kRules[] = {
    LQ_HF_ENDS,
    LQ_HF_NORMS,
    LQ_HF_ATTENTION,
    LQ_HF_LINEAR("mlp.c_fc", "ffn_up"),
    LQ_HF_LINEAR("mlp.c_proj", "ffn_down"),
};

}  // namespace

extern const Family family_starcoder2;
const Family family_starcoder2{"starcoder2", read_starcoder2, {"starcoder2", "model.", write_keys, kRules}};

}  // namespace lq
