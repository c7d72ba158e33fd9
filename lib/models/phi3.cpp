// Phi 3 and 3.5 (and Phi 4 mini, which rotates a part of each head): the Llama shape with Q, K and V in one matrix,
// gate and up in another, and rotary factors for long contexts. Abdin et al. 2024; transformers, modeling_phi3.py.
#include <cmath>

#include "family.hpp"
#include "hf_common.hpp"

namespace lq {
namespace {

DecoderSpec read_phi3(const Metadata& m) { return read_common(m, RopeStyle::halves); }

void write_keys(const HfConfig& c, HfKeys& keys) {
  check_activation(c, "silu");
  write_sizes(c, keys);
  write_rms_epsilon(c, keys);
  write_rope(c, keys, rotated_part(c));
  write_window(c, keys);
}

constexpr HfRule kRules[] = {
    LQ_HF_ENDS,
    LQ_HF_NORMS,
    LQ_HF_WEIGHT("self_attn.qkv_proj", "attn_qkv"),
    LQ_HF_WEIGHT("self_attn.o_proj", "attn_output"),
    LQ_HF_WEIGHT("mlp.gate_up_proj", "ffn_up"),
    LQ_HF_WEIGHT("mlp.down_proj", "ffn_down"),
};

}  // namespace

extern const Family family_phi3;
const Family family_phi3{"phi3", read_phi3, {"phi3", "model.", write_keys, kRules}};

}  // namespace lq
