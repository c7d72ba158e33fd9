#include "weights.hpp"

#include "loquor/core/status.hpp"
#include "metadata.hpp"

namespace lq {

WeightPlan plan_weights(const GgufFile& file, Compute compute) {
  const Metadata meta(file);
  const Family& family = find_family(meta.arch());
  WeightPlan plan;
  plan.totals.compute = compute;
  plan.spec = family.read_spec(meta);
  DecoderSpec& s = plan.spec;
  plan.rope_divisor = meta.rope_divisor();
  Planner planner(file, plan.totals);
  const ModelNames& names = family.names;
  s.n_vocab = meta.vocab_size(names.embedding);
  plan.embedding = planner.matrix(std::string(names.embedding), s.n_vocab, s.d_model);
  plan.head = planner.optional_matrix(std::string(names.head), s.n_vocab, s.d_model);
  s.tied_embedding = plan.head == nullptr;
  plan.final_norm = planner.vector(std::string(names.final_norm), s.d_model);
  plan.rope_factors = planner.optional(std::string(names.rope_factors), 0, s.rope_dim / 2);
  LQ_CHECK(!plan.rope_factors || is_plain_float(plan.rope_factors->type), Code::unsupported, "model: tensor '",
           names.rope_factors, "' is not of a plain floating-point type");
  const std::size_t q = s.n_head * s.head_dim, kv = s.n_kv_head * s.head_dim;
  for (std::size_t i = 0; i < s.n_layer; ++i) {
    const std::string prefix = str("blk.", i, ".");
    const LayerNames& n = names.layer;
    LayerPlan layer;
    layer.attn_norm = planner.vector(prefix + std::string(n.attn_norm), s.d_model);
    layer.ffn_norm = planner.vector(prefix + std::string(n.ffn_norm), s.d_model);
    layer.qkv = planner.linear(prefix, {n.q, n.k, n.v}, {q, kv, kv}, s.d_model, false);
    layer.o = planner.linear(prefix, {n.o}, {s.d_model}, q, false);
    layer.gate_up = planner.linear(prefix, {n.gate, n.up}, {s.d_ff, s.d_ff}, s.d_model, true);
    layer.down = planner.linear(prefix, {n.down}, {s.d_model}, s.d_ff, false);
    s.qkv_bias = s.qkv_bias || !layer.qkv.biases.empty();
    plan.layers.push_back(std::move(layer));
  }
  return plan;
}

}  // namespace lq
