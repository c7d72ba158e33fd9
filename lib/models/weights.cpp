#include "weights.hpp"

#include "loquor/core/status.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

void plan_attention(Planner& planner, const DecoderSpec& s, const std::string& p, LayerPlan& layer) {
  const std::size_t q = s.n_head * s.head_dim, kv = s.n_kv_head * s.head_dim;
  if (planner.has(p + "attn_qkv.weight"))
    layer.qkv = planner.linear(p, {"attn_qkv"}, {q + 2 * kv}, s.d_model, false);
  else
    layer.qkv = planner.linear(p, {"attn_q", "attn_k", "attn_v"}, {q, kv, kv}, s.d_model, false);
  layer.o = planner.linear(p, {"attn_output"}, {s.d_model}, q, false);
  if (s.qk_norm == QkNorm::none) return;
  const bool heads = s.qk_norm == QkNorm::heads;
  layer.q_norm = planner.vector(p + "attn_q_norm.weight", heads ? s.head_dim : q);
  layer.k_norm = planner.vector(p + "attn_k_norm.weight", heads ? s.head_dim : kv);
}

void plan_ffn(Planner& planner, const DecoderSpec& s, const std::string& p, LayerPlan& layer) {
  const bool interleave = s.ffn == FfnKind::swiglu;  // the others are not computed in pairs of panels
  if (s.n_expert) {
    layer.router = planner.matrix(p + "ffn_gate_inp.weight", s.n_expert, s.d_model);
    for (std::size_t i = 0; i < s.n_expert; ++i) {
      layer.expert_gate_up.push_back(
          planner.expert(p, {"ffn_gate_exps", "ffn_up_exps"}, i, s.n_expert, s.d_ff, s.d_model, interleave));
      layer.expert_down.push_back(planner.expert(p, {"ffn_down_exps"}, i, s.n_expert, s.d_model, s.d_ff, false));
    }
    return;
  }
  if (!is_gated(s.ffn))
    layer.gate_up = planner.linear(p, {"ffn_up"}, {s.d_ff}, s.d_model, false);
  else if (planner.has(p + "ffn_gate.weight"))
    layer.gate_up = planner.linear(p, {"ffn_gate", "ffn_up"}, {s.d_ff, s.d_ff}, s.d_model, interleave);
  else
    layer.gate_up = planner.split(p + "ffn_up.weight", {s.d_ff, s.d_ff}, s.d_model, interleave);  // gate, then up
  layer.down = planner.linear(p, {"ffn_down"}, {s.d_model}, s.d_ff, false);
}

LayerPlan plan_layer(Planner& planner, const DecoderSpec& s, std::size_t i) {
  const std::string p = str("blk.", i, ".");
  LayerPlan layer;
  if (s.pre_norm) layer.attn_norm = planner.norm(p + "attn_norm", s.d_model, false);
  if (s.pre_norm && !s.shared_norm) layer.ffn_norm = planner.norm(p + "ffn_norm", s.d_model, false);
  if (s.post_norm) layer.attn_post_norm = planner.norm(p + "post_attention_norm", s.d_model, false);
  if (s.post_norm) layer.ffn_post_norm = planner.norm(p + "post_ffw_norm", s.d_model, false);
  plan_attention(planner, s, p, layer);
  plan_ffn(planner, s, p, layer);
  return layer;
}

// Divisors of the rotary frequencies.
const GgufTensor* plan_factors(const Planner& planner, const DecoderSpec& s, const std::string& name) {
  const GgufTensor* t = s.rope_dim ? planner.optional(name, 0, s.rope_dim / 2) : nullptr;
  LQ_CHECK(!t || is_plain_float(t->type), Code::unsupported, "model: tensor '", name,
           "' is not of a plain floating-point type");
  return t;
}

}  // namespace

WeightPlan plan_weights(const GgufFile& file, Compute compute) {
  const Metadata meta(file);
  const Family& family = find_family(meta.arch());
  WeightPlan plan;
  plan.totals.compute = compute;
  plan.spec = family.read_spec(meta);
  DecoderSpec& s = plan.spec;
  Planner planner(file, plan.totals);
  s.n_vocab = meta.vocab_size("token_embd.weight");
  plan.embedding = planner.matrix("token_embd.weight", s.n_vocab, s.d_model);
  plan.head = planner.optional_matrix("output.weight", s.n_vocab, s.d_model);
  LQ_CHECK(!planner.has("output.bias"), Code::unsupported, "model: tensor 'output.bias' is not supported");
  s.tied_embedding = plan.head == nullptr;
  plan.final_norm = planner.norm("output_norm", s.d_model, false);
  if (s.learned_positions) plan.positions = planner.table("position_embd.weight", s.n_ctx_train, s.d_model);
  plan.rope_factors = plan_factors(planner, s, "rope_freqs.weight");
  plan.short_factors = plan_factors(planner, s, "rope_factors_short.weight");
  plan.long_factors = plan_factors(planner, s, "rope_factors_long.weight");
  LQ_CHECK(s.rope.scaling != RopeScaling::longrope || (plan.short_factors && plan.long_factors), Code::bad_file,
           "model: tensors 'rope_factors_short.weight' and 'rope_factors_long.weight' are missing");
  for (std::size_t i = 0; i < s.n_layer; ++i) {
    plan.layers.push_back(plan_layer(planner, s, i));
    s.qkv_bias = s.qkv_bias || !plan.layers.back().qkv.biases.empty();
  }
  return plan;
}

}  // namespace lq
