#include "loquor/models/lora.hpp"

#include <algorithm>
#include <cmath>

#include "../adapter_file.hpp"
#include "../adapter_places.hpp"
#include "../decoder_impl.hpp"
#include "frozen.hpp"
#include "loquor/core/random.hpp"
#include "loquor/nn/functions.hpp"

namespace lq {
namespace {

using nn::Graph;
using nn::Value;

void check_supported(const DecoderSpec& s) {
  const bool plain = s.norm == NormKind::rms && s.pre_norm && !s.post_norm && s.qk_norm == QkNorm::none &&
                     !s.parallel && !s.shared_norm && s.ffn == FfnKind::swiglu && !s.n_expert && s.attention_cap == 0 &&
                     s.logit_cap == 0 && s.residual_scale == 1 && !s.learned_positions &&
                     s.attention_scale == 1.0f / std::sqrt(static_cast<float>(s.head_dim));
  LQ_CHECK(plain, Code::unsupported, "training: models of the architecture '", s.arch,
           "' cannot be trained yet; those built like Llama can (llama, qwen2, smollm3)");
}

// "q_proj", "attn_q" and "self_attn.q_proj" are one.
std::string target_name(std::string name) {
  if (const std::size_t dot = name.rfind('.'); dot != std::string::npos) name = name.substr(dot + 1);
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"q_proj", "attn_q"},      {"k_proj", "attn_k"},  {"v_proj", "attn_v"},      {"o_proj", "attn_output"},
      {"gate_proj", "ffn_gate"}, {"up_proj", "ffn_up"}, {"down_proj", "ffn_down"},
  };
  for (const auto& [hf, gguf] : kNames)
    if (name == hf) return gguf;
  return name;
}

std::vector<LoraPlace> choose(const DecoderSpec& spec, bool interleaved, const std::vector<std::string>& targets) {
  std::vector<LoraPlace> all = lora_places(spec, interleaved), chosen;
  std::erase_if(all, [](const LoraPlace& p) { return std::string_view(p.name) == "attn_qkv"; });
  if (targets.empty()) return all;
  for (const std::string& t : targets) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const LoraPlace& p) { return target_name(t) == p.name; });
    LQ_CHECK(found != all.end(), Code::invalid_argument, "training: the model has no matrices '", t.substr(0, 64),
             "' to adapt; there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj");
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace

struct LoraModel::Impl {
  struct Layer {
    nn::Parameter attn_norm, ffn_norm;
    FrozenLinear qkv, o, gate_up, down;
  };
  std::vector<Layer> layers;
  nn::Parameter final_norm;
  PackedMatrix head_back;
  std::size_t nbytes = 0;
};

namespace {

// A vector of the decoder's as an operand; it has no gradient, so nothing writes to it.
nn::Parameter frozen(const float* value, std::size_t n) { return {"", {n}, n, const_cast<float*>(value), nullptr}; }

FrozenLinear frozen(const Context& ctx, const Linear& w, std::size_t in, bool exact, std::size_t& bytes) {
  FrozenLinear out;
  out.linear = &w;
  out.in = in;
  out.out = w.rows();
  if (!exact && out.out % 32 == 0 && in % 32 == 0) out.transposed = transpose(ctx, w.parts, in);
  bytes += out.transposed.nbytes();
  return out;
}

const Decoder& checked(const std::shared_ptr<const Decoder>& model) {
  LQ_CHECK(model, Code::invalid_argument, "training: the model has no weights");
  return *model;
}

}  // namespace

LoraModel::LoraModel(std::shared_ptr<const Decoder> model, LoraOptions options)
    : model_(std::move(model)),
      options_(std::move(options)),
      parameters_(checked(model_).context()),
      impl_(std::make_unique<Impl>()) {
  const DecoderSpec& s = model_->spec();
  check_supported(s);
  LQ_CHECK(options_.rank > 0 && options_.rank <= 1024, Code::invalid_argument, "training: rank ", options_.rank,
           ", expected 1 to 1024");
  LQ_CHECK(std::isfinite(options_.alpha) && options_.alpha > 0, Code::invalid_argument, "training: alpha is ",
           static_cast<double>(options_.alpha));
  LQ_CHECK(options_.dropout >= 0 && options_.dropout < 1, Code::invalid_argument, "training: dropout is ",
           static_cast<double>(options_.dropout), ", expected 0 to below 1");
  add_parameters();
  freeze();
}

LoraModel::~LoraModel() = default;

void LoraModel::add_parameters() {
  const DecoderSpec& s = model_->spec();
  Random random(options_.seed, 0x6c6f7261);
  impl_->layers.resize(s.n_layer);
  std::string names;
  for (std::size_t l = 0; l < s.n_layer; ++l) {
    Impl::Layer& layer = impl_->layers[l];
    FrozenLinear* const to[4] = {&layer.qkv, &layer.o, &layer.gate_up, &layer.down};
    for (const LoraPlace& p : choose(s, model_->interleaved(l), options_.targets)) {
      const std::string name = str("blk.", l, ".", p.name);
      nn::Parameter& a = parameters_.add(name + ".lora_a", {options_.rank, p.in});
      nn::Parameter& b = parameters_.add(name + ".lora_b", {p.out, options_.rank});
      const double bound = 1 / std::sqrt(static_cast<double>(p.in));
      for (std::size_t i = 0; i < a.count; ++i) a.value[i] = static_cast<float>((2 * random.uniform() - 1) * bound);
      to[p.input]->parts.push_back({&a, &b, p.column, p.interleaved});
      if (l == 0) names += str(" ", p.name);
    }
  }
  description_ = str("lora rank=", options_.rank, " alpha=", static_cast<double>(options_.alpha),
                     " dropout=", static_cast<double>(options_.dropout), " exact=", options_.exact_gradients, names,
                     " of ", s.arch, " ", model_->fingerprint());
}

void LoraModel::freeze() {
  const DecoderSpec& s = model_->spec();
  const Context& ctx = model_->context();
  const Weights& w = DecoderAccess::weights(*model_);
  const bool exact = options_.exact_gradients || model_->compute() == Compute::reference;
  const auto put = [&](FrozenLinear& to, const Linear& linear, std::size_t in) {
    std::vector<LoraPart> parts = std::move(to.parts);
    to = frozen(ctx, linear, in, exact, impl_->nbytes);
    to.parts = std::move(parts);
  };
  for (std::size_t l = 0; l < s.n_layer; ++l) {
    Impl::Layer& layer = impl_->layers[l];
    const LayerWeights& from = w.layers[l];
    layer.attn_norm = frozen(from.attn_norm.weight, s.d_model);
    layer.ffn_norm = frozen(from.ffn_norm.weight, s.d_model);
    put(layer.qkv, from.qkv, s.d_model);
    put(layer.o, from.o, s.n_head * s.head_dim);
    put(layer.gate_up, from.gate_up, s.d_model);
    put(layer.down, from.down, s.d_ff);
  }
  impl_->final_norm = frozen(w.final_norm.weight, s.d_model);
  if (!exact && s.d_model % 32 == 0) impl_->head_back = transpose(ctx, {&w.head_matrix(), 1}, s.d_model);
  impl_->nbytes += impl_->head_back.nbytes();
}

std::size_t LoraModel::nbytes() const noexcept { return impl_->nbytes; }

namespace {

void check_batch(const DecoderSpec& s, Value x, nn::Loss kind, Value target, bool carry) {
  LQ_CHECK(kind == nn::Loss::cross_entropy && !carry, Code::invalid_argument,
           "training: a language model's loss is cross_entropy, without carry");
  const std::size_t t = x->shape.rank() == 3 ? x->shape[2] : 0;
  LQ_CHECK(target->shape.rank() == 2 && target->shape[1] == t, Code::invalid_argument,
           "training: targets of another shape than the texts");
  LQ_CHECK(t <= s.n_ctx_train, Code::invalid_argument, "training: texts of ", t, " tokens, the model takes ",
           s.n_ctx_train);
  for (const LayerSpec& l : s.layers)
    LQ_CHECK(!l.window || t <= l.window, Code::unsupported, "training: texts of ", t,
             " tokens are longer than the model's window of ", l.window);
  LQ_CHECK(s.rope.scaling != RopeScaling::longrope || t <= s.rope.original, Code::unsupported,
           "training: texts of over ", s.rope.original, " tokens with longrope");
}

}  // namespace

Value LoraModel::loss(Graph& g, Value x, nn::Loss kind, Value target, bool carry) const {
  const DecoderSpec& s = model_->spec();
  const Weights& w = DecoderAccess::weights(*model_);
  const IdsAndPositions in = split_input(g, x);
  check_batch(s, x, kind, target, carry);
  const std::size_t q = s.n_head * s.head_dim, kv = s.n_kv_head * s.head_dim;
  const auto act = std::make_shared<Activations>(model_->context(), in.ids->count,
                                                 std::max({2 * s.d_ff, q + 2 * kv, s.d_model}), model_->compute());
  const float scale = options_.alpha / static_cast<float>(options_.rank);
  const auto product = [&](Value v, const FrozenLinear& linear) {
    const bool drop = options_.dropout > 0 && !linear.parts.empty();
    return frozen_linear(g, v, drop ? nn::dropout(g, v, options_.dropout) : v, linear, scale, act);
  };
  Value y = frozen_embedding(g, in.ids, w.embedding, s.embedding_scale);
  for (std::size_t l = 0; l < s.n_layer; ++l) {
    const Impl::Layer& layer = impl_->layers[l];
    Value qkv = product(nn::rms_norm(g, y, layer.attn_norm, s.norm_eps), layer.qkv);
    if (s.layers[l].rope >= 0 && s.rope_dim)
      qkv = rope_at(g, qkv, in.positions, w.ropes[s.layers[l].rope],
                    {s.n_head + s.n_kv_head, s.head_dim, s.rope_dim, s.rope_style});
    nn::AttentionShape shape{s.n_head, s.n_kv_head, s.head_dim};
    shape.causal = true;
    shape.positions = in.positions;
    const Value attended = nn::attention(g, {qkv, 0}, {qkv, q}, {qkv, q + kv}, shape);
    y = nn::add(g, y, product(attended, layer.o));
    const Value up = product(nn::rms_norm(g, y, layer.ffn_norm, s.norm_eps), layer.gate_up);
    y = nn::add(g, y, product(swiglu(g, up, w.layers[l].gate_up.interleaved), layer.down));
  }
  return frozen_cross_entropy(g, nn::rms_norm(g, y, impl_->final_norm, s.norm_eps), w.head_matrix(), impl_->head_back,
                              target, model_->compute());
}

}  // namespace lq
