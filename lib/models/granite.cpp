// Granite 3 (dense): the Llama shape with factors on embeddings, residuals, scores and logits. IBM 2024; transformers,
// modeling_granite.py.
#include "family.hpp"
#include "hf_common.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

DecoderSpec read_granite(const Metadata& m) {
  DecoderSpec s = read_common(m, RopeStyle::pairs);
  s.logit_scale = static_cast<float>(1.0 / m.number("logit_scale", 1e-6, 1e6, 1.0));
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  write_common_keys(c, keys);
  keys.f32("attention.scale", c.number("attention_multiplier").value_or(1.0));
  keys.f32("embedding_scale", c.number("embedding_multiplier").value_or(1.0));
  keys.f32("residual_scale", c.number("residual_multiplier").value_or(1.0));
  keys.f32("logit_scale", c.number("logits_scaling").value_or(1.0));
}

constexpr HfRule kRules[] = {LQ_HF_ENDS, LQ_HF_NORMS, LQ_HF_PAIRED_ATTENTION, LQ_HF_MLP};

}  // namespace

extern const Family family_granite;
const Family family_granite{"granite", read_granite, {"granite", "model.", write_keys, kRules}};

}  // namespace lq
