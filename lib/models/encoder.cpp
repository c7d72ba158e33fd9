#include "loquor/models/encoder.hpp"

#include <algorithm>
#include <bit>

#include "encoder_family.hpp"
#include "encoder_impl.hpp"
#include "loquor/core/status.hpp"
#include "metadata.hpp"
#include "weight_loader.hpp"

namespace lq {
namespace {

constexpr const EncoderFamily* kFamilies[] = {
#define LQ_ENCODER(arch) &encoder_##arch,
#include "loquor/models/encoders.def"
#undef LQ_ENCODER
};

struct EncoderLayerPlan {
  LinearPlan qkv, o, up, down;
  NormPlan attn_norm, ffn_norm;
};

struct EncoderPlan {
  EncoderSpec spec;
  const GgufTensor *embedding = nullptr, *types = nullptr, *positions = nullptr;
  NormPlan embedding_norm;
  std::vector<EncoderLayerPlan> layers;
  PlanTotals totals;
};

EncoderPlan make_plan(const GgufFile& file, Compute compute) {
  const Metadata meta(file);
  const EncoderFamily* family = find_encoder_family(meta.arch());
  LQ_CHECK(family, Code::unsupported, "model: architecture '", meta.arch(), "' is no text encoder");
  const EncoderNames& n = family->names;
  EncoderPlan plan;
  plan.totals.compute = compute;
  EncoderSpec& s = plan.spec;
  s = family->read_spec(meta);
  Planner planner(file, plan.totals);
  s.n_vocab = meta.vocab_size(n.embedding);
  plan.embedding = planner.matrix(std::string(n.embedding), s.n_vocab, s.d_model);
  if (const GgufTensor* types = file.find_tensor(n.types)) {
    s.n_types = types->shape[0];
    plan.types = planner.table(std::string(n.types), s.n_types, s.d_model);
  }
  plan.positions = planner.table(std::string(n.positions), s.n_ctx, s.d_model);
  plan.embedding_norm = planner.norm(std::string(n.embedding_norm), s.d_model, true);
  for (std::size_t i = 0; i < s.n_layer; ++i) {
    const std::string prefix = str("blk.", i, ".");
    EncoderLayerPlan layer;
    layer.qkv = planner.linear(prefix, {n.q, n.k, n.v}, {s.d_model, s.d_model, s.d_model}, s.d_model, false);
    layer.o = planner.linear(prefix, {n.o}, {s.d_model}, s.d_model, false);
    layer.up = planner.linear(prefix, {n.up}, {s.d_ff}, s.d_model, false);
    layer.down = planner.linear(prefix, {n.down}, {s.d_model}, s.d_ff, false);
    layer.attn_norm = planner.norm(prefix + std::string(n.attn_norm), s.d_model, true);
    layer.ffn_norm = planner.norm(prefix + std::string(n.ffn_norm), s.d_model, true);
    plan.layers.push_back(std::move(layer));
  }
  return plan;
}

void hash_spec(const EncoderSpec& s, Hash& hash) {
  hash.add(s.arch);
  for (const std::size_t v : {s.n_vocab, s.n_layer, s.d_model, s.n_head, s.d_ff, s.n_ctx, s.n_types}) hash.add(v);
  hash.add(std::bit_cast<std::uint32_t>(s.norm_eps));
}

bool all_plain(const EncoderPlan& plan) {
  return std::all_of(plan.layers.begin(), plan.layers.end(), [](const EncoderLayerPlan& layer) {
    for (const LinearPlan* linear : {&layer.qkv, &layer.o, &layer.up, &layer.down})
      for (const GgufTensor* t : linear->sources)
        if (!is_plain_float(t->type)) return false;
    return true;
  });
}

}  // namespace

std::span<const EncoderFamily* const> encoder_families() noexcept { return kFamilies; }

const EncoderFamily* find_encoder_family(std::string_view arch) noexcept {
  for (const EncoderFamily* family : kFamilies)
    if (family->name == arch) return family;
  return nullptr;
}

Encoder::Encoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Encoder::~Encoder() = default;

bool Encoder::knows(std::string_view arch) noexcept { return find_encoder_family(arch) != nullptr; }

std::shared_ptr<const Encoder> Encoder::load(std::shared_ptr<const Context> ctx, const GgufFile& file,
                                             const LoadOptions& options, const std::function<void()>& beside) {
  LQ_CHECK(ctx, Code::invalid_argument, "model: no context");
  try {
    const EncoderPlan plan = make_plan(file, options.compute);
    WeightLoader loader(*ctx, file, plan.totals, options);
    hash_spec(plan.spec, loader.hash());
    auto impl = std::make_unique<Impl>();
    impl->spec = plan.spec;
    impl->compute = all_plain(plan) ? Compute::reference : options.compute;
    impl->embedding = loader.matrix(*plan.embedding);
    impl->types = loader.optional_vector(plan.types);
    impl->positions = loader.vector(*plan.positions);
    impl->embedding_norm = loader.norm(plan.embedding_norm);
    impl->layers.reserve(plan.layers.size());
    for (const EncoderLayerPlan& p : plan.layers) {
      EncoderLayer& layer = impl->layers.emplace_back();
      layer.qkv = loader.linear(p.qkv);
      layer.o = loader.linear(p.o);
      layer.up = loader.linear(p.up);
      layer.down = loader.linear(p.down);
      layer.attn_norm = loader.norm(p.attn_norm);
      layer.ffn_norm = loader.norm(p.ffn_norm);
    }
    loader.run(beside);
    impl->fingerprint = loader.fingerprint();
    impl->floats = loader.take_floats_storage();
    impl->packed = loader.take_packed_storage();
    impl->ctx = std::move(ctx);
    return std::shared_ptr<const Encoder>(new Encoder(std::move(impl)));
  } catch (const std::bad_alloc&) {
    fail(Code::out_of_memory, "model: out of memory while loading");
  }
}

EncoderSpec Encoder::read_spec(const GgufFile& file) { return make_plan(file, Compute::quantized).spec; }
std::size_t Encoder::weight_bytes(const GgufFile& file) { return make_plan(file, Compute::quantized).totals.nbytes(); }

const EncoderSpec& Encoder::spec() const noexcept { return impl_->spec; }
const Context& Encoder::context() const noexcept { return *impl_->ctx; }
std::uint64_t Encoder::fingerprint() const noexcept { return impl_->fingerprint; }

}  // namespace lq
