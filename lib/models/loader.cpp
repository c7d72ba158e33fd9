// The weights of a decoder, loaded as its plan says.
#include <algorithm>
#include <bit>
#include <cmath>

#include "loquor/core/status.hpp"
#include "weight_loader.hpp"
#include "weights.hpp"

namespace lq {
namespace {

// Rotary frequencies base^(-2i/d), slowed by linear scaling and by the file's own factors (llama 3).
void make_rope(const WeightPlan& plan, Weights& w) {
  const std::size_t half = plan.spec.rope_dim / 2;
  std::vector<float> factors(half, 1.0f);
  if (plan.rope_factors) widen(*plan.rope_factors, factors.data());
  for (std::size_t i = 0; i < half; ++i) {
    LQ_CHECK(std::isfinite(factors[i]) && factors[i] > 0, Code::bad_file, "model: tensor '", plan.rope_factors->name,
             "' has the factor ", factors[i], " at ", i);
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(plan.spec.rope_dim);
    w.rope_inverse.push_back(std::pow(static_cast<double>(plan.spec.rope_base), exponent) /
                             (static_cast<double>(factors[i]) * plan.rope_divisor));
  }
}

void hash_spec(const WeightPlan& plan, Hash& hash) {
  const DecoderSpec& s = plan.spec;
  hash.add(s.arch);
  for (std::size_t v : {s.n_vocab, s.n_layer, s.d_model, s.n_head, s.n_kv_head, s.head_dim, s.d_ff, s.rope_dim,
                        static_cast<std::size_t>(s.rope_style)})
    hash.add(v);
  for (double v : {double{s.rope_base}, double{s.norm_eps}, double{s.attention_scale}, plan.rope_divisor})
    hash.add(std::bit_cast<std::uint64_t>(v));
}

}  // namespace

Weights load_weights(const Context& ctx, const GgufFile& file, const WeightPlan& plan, const LoadOptions& options,
                     const std::function<void()>& beside, std::uint64_t* fingerprint) {
  WeightLoader loader(ctx, file, plan.totals, options);
  hash_spec(plan, loader.hash());
  Weights w;
  w.final_norm = loader.vector(*plan.final_norm);
  if (plan.rope_factors) loader.note(*plan.rope_factors);
  loader.later([&] { make_rope(plan, w); });
  w.embedding = loader.matrix(*plan.embedding);
  if (plan.head) w.head = loader.matrix(*plan.head);
  w.layers.reserve(plan.layers.size());
  for (const LayerPlan& p : plan.layers) {
    LayerWeights& layer = w.layers.emplace_back();
    layer.attn_norm = loader.vector(*p.attn_norm);
    layer.ffn_norm = loader.vector(*p.ffn_norm);
    layer.qkv = loader.linear(p.qkv);
    layer.o = loader.linear(p.o);
    layer.gate_up = loader.linear(p.gate_up);
    layer.down = loader.linear(p.down);
  }
  loader.run(beside);
  *fingerprint = loader.fingerprint();
  w.floats = loader.take_floats_storage();
  w.packed = loader.take_packed_storage();
  return w;
}

}  // namespace lq
