// The weights of a decoder, loaded as its plan says.
#include <algorithm>
#include <bit>
#include <cmath>

#include "loquor/core/status.hpp"
#include "weight_loader.hpp"
#include "weights.hpp"

namespace lq {
namespace {

// Where, among `half` frequencies, one turns so many times in `original` positions.
double turning(const RopeSpec& r, std::size_t half, double turns) {
  constexpr double kPi = 3.14159265358979323846;
  return static_cast<double>(half) * std::log(static_cast<double>(r.original) / (turns * 2 * kPi)) /
         std::log(static_cast<double>(r.base));
}

// base^(-2i/d), slowed as the scaling says and by the file's own factors (llama 3, longrope).
RopeTable make_rope(const RopeSpec& r, std::size_t dim, const GgufTensor* factors) {
  const std::size_t half = dim / 2;
  std::vector<float> divide(half, 1.0f);
  if (factors) widen(*factors, divide.data());
  const double low = std::max(std::floor(turning(r, half, r.fast)), 0.0);
  const double high = std::max(std::min(std::ceil(turning(r, half, r.slow)), static_cast<double>(dim) - 1), low + 1e-3);
  RopeTable table;
  table.scale = r.attention_factor;
  for (std::size_t i = 0; i < half; ++i) {
    LQ_CHECK(std::isfinite(divide[i]) && divide[i] > 0, Code::bad_file, "model: tensor '", factors->name,
             "' has the factor ", divide[i], " at ", i);
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(dim);
    double f = std::pow(static_cast<double>(r.base), exponent) / static_cast<double>(divide[i]);
    if (r.scaling == RopeScaling::linear) f /= static_cast<double>(r.factor);
    if (r.scaling == RopeScaling::yarn) {
      const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      f = f / static_cast<double>(r.factor) * ramp + f * (1 - ramp);
    }
    table.inverse.push_back(f);
  }
  return table;
}

void make_ropes(const WeightPlan& plan, Weights& w) {
  const DecoderSpec& s = plan.spec;
  const bool longrope = s.rope.scaling == RopeScaling::longrope;
  w.ropes[0] = make_rope(s.rope, s.rope_dim, longrope ? plan.short_factors : plan.rope_factors);
  w.ropes[1] = make_rope(s.local_rope, s.rope_dim, nullptr);
  if (longrope) w.long_rope = make_rope(s.rope, s.rope_dim, plan.long_factors);
}

void hash_rope(const RopeSpec& r, Hash& hash) {
  hash.add(static_cast<std::uint64_t>(r.scaling));
  hash.add(r.original);
  for (const float v : {r.base, r.factor, r.fast, r.slow, r.attention_factor})
    hash.add(std::bit_cast<std::uint32_t>(v));
}

void hash_spec(const DecoderSpec& s, Hash& hash) {
  hash.add(s.arch);
  for (const std::size_t v : {s.n_vocab, s.n_layer, s.d_model, s.n_head, s.n_kv_head, s.head_dim, s.d_ff, s.rope_dim,
                              s.n_expert, s.n_expert_used})
    hash.add(v);
  for (const int v : {static_cast<int>(s.rope_style), static_cast<int>(s.norm), static_cast<int>(s.qk_norm),
                      static_cast<int>(s.ffn), int{s.pre_norm}, int{s.post_norm}, int{s.parallel}, int{s.shared_norm},
                      int{s.norm_experts}, int{s.learned_positions}})
    hash.add(static_cast<std::uint64_t>(v));
  for (const float v : {s.norm_eps, s.attention_scale, s.attention_cap, s.logit_cap, s.embedding_scale,
                        s.residual_scale, s.logit_scale})
    hash.add(std::bit_cast<std::uint32_t>(v));
  hash_rope(s.rope, hash);
  hash_rope(s.local_rope, hash);
  for (const LayerSpec& l : s.layers) {
    hash.add(l.window);
    hash.add(static_cast<std::uint64_t>(l.rope + 1));
  }
}

LayerWeights load_layer(WeightLoader& loader, const LayerPlan& p) {
  LayerWeights layer;
  layer.attn_norm = loader.norm(p.attn_norm);
  layer.ffn_norm = loader.norm(p.ffn_norm);
  layer.attn_post_norm = loader.norm(p.attn_post_norm);
  layer.ffn_post_norm = loader.norm(p.ffn_post_norm);
  layer.q_norm = loader.optional_vector(p.q_norm);
  layer.k_norm = loader.optional_vector(p.k_norm);
  layer.qkv = loader.linear(p.qkv);
  layer.o = loader.linear(p.o);
  if (p.router) {
    layer.router = loader.matrix(*p.router);
    for (const LinearPlan& e : p.expert_gate_up) layer.expert_gate_up.push_back(loader.linear(e));
    for (const LinearPlan& e : p.expert_down) layer.expert_down.push_back(loader.linear(e));
    return layer;
  }
  layer.gate_up = loader.linear(p.gate_up);
  layer.down = loader.linear(p.down);
  return layer;
}

// Logits are linear in the last norm, which takes their scale.
void scale_logits(const DecoderSpec& s, const NormWeights& norm) {
  for (const float* part : {norm.weight, norm.bias})
    for (std::size_t i = 0; part && i < s.d_model; ++i) const_cast<float*>(part)[i] *= s.logit_scale;
}

}  // namespace

Weights load_weights(const Context& ctx, const GgufFile& file, const WeightPlan& plan, const LoadOptions& options,
                     const std::function<void()>& beside, std::uint64_t* fingerprint) {
  WeightLoader loader(ctx, file, plan.totals, options);
  hash_spec(plan.spec, loader.hash());
  Weights w;
  w.final_norm = loader.norm(plan.final_norm);
  for (const GgufTensor* t : {plan.rope_factors, plan.short_factors, plan.long_factors})
    if (t) loader.note(*t);
  loader.later([&] { make_ropes(plan, w); });
  w.embedding = loader.matrix(*plan.embedding);
  if (plan.head) w.head = loader.matrix(*plan.head);
  w.positions = loader.optional_vector(plan.positions);
  w.layers.reserve(plan.layers.size());
  for (const LayerPlan& p : plan.layers) w.layers.push_back(load_layer(loader, p));
  loader.run(beside);
  if (plan.spec.logit_scale != 1) scale_logits(plan.spec, w.final_norm);
  *fingerprint = loader.fingerprint();
  w.floats = loader.take_floats_storage();
  w.packed = loader.take_packed_storage();
  return w;
}

}  // namespace lq
