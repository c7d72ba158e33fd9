// StableLM 2 and StableLM 3B: LayerNorm, a quarter of each head rotated, SwiGLU; both halves of a layer beside each
// other in some models. Bellagente et al. 2024; transformers, modeling_stablelm.py.
#include "family.hpp"
#include "hf_common.hpp"
#include "loquor/core/status.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

DecoderSpec read_stablelm(const Metadata& m) {
  DecoderSpec s = read_with_layer_norm(m, RopeStyle::halves);
  s.parallel = s.shared_norm = m.flag("use_parallel_residual").value_or(false);
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  LQ_CHECK(!c.flag("qk_layernorm").value_or(false), Code::unsupported, "'", c.name(),
           "': norms of queries and keys are not supported for this model type");
  check_activation(c, "silu");
  write_sizes(c, keys);
  write_rope(c, keys, rotated_part(c));
  keys.f32("attention.layer_norm_epsilon", c.number("layer_norm_eps").value_or(1e-5));
  keys.flag("use_parallel_residual", c.flag("use_parallel_residual").value_or(false));
}

constexpr HfRule kRules[] = {LQ_HF_ENDS, LQ_HF_NORMS, LQ_HF_ATTENTION, LQ_HF_MLP};

}  // namespace

extern const Family family_stablelm;
const Family family_stablelm{"stablelm", read_stablelm, {"stablelm", "model.", write_keys, kRules}};

}  // namespace lq
