#include "loquor/models/decoder.hpp"

#include "decoder_impl.hpp"
#include "loquor/core/status.hpp"

namespace lq {

Decoder::Decoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Decoder::~Decoder() = default;

std::shared_ptr<const Decoder> Decoder::load(std::shared_ptr<const Context> ctx, const GgufFile& file,
                                             const LoadOptions& options, const std::function<void()>& beside) {
  LQ_CHECK(ctx, Code::invalid_argument, "model: no context");
  try {
    const WeightPlan plan = plan_weights(file, options.compute);
    auto impl = std::make_unique<Impl>();
    impl->spec = plan.spec;
    impl->compute = options.compute;
    impl->weights = load_weights(*ctx, file, plan, options, beside, &impl->fingerprint);
    impl->ctx = std::move(ctx);
    return std::shared_ptr<const Decoder>(new Decoder(std::move(impl)));
  } catch (const std::bad_alloc&) {
    fail(Code::out_of_memory, "model: out of memory while loading");
  }
}

DecoderSpec Decoder::read_spec(const GgufFile& file) { return plan_weights(file, Compute::quantized).spec; }
std::size_t Decoder::weight_bytes(const GgufFile& file) {
  return plan_weights(file, Compute::quantized).totals.nbytes();
}

const DecoderSpec& Decoder::spec() const noexcept { return impl_->spec; }
const Context& Decoder::context() const noexcept { return *impl_->ctx; }
Compute Decoder::compute() const noexcept { return impl_->compute; }
bool Decoder::interleaved(std::size_t layer) const noexcept {
  return impl_->weights.layers[layer].gate_up.interleaved;
}
std::uint64_t Decoder::fingerprint() const noexcept { return impl_->fingerprint; }

KvLayout Decoder::kv_layout(DType kv_type) const noexcept {
  KvLayout layout;
  layout.type = kv_type;
  layout.n_layer = impl_->spec.n_layer;
  layout.n_kv_head = impl_->spec.n_kv_head;
  layout.head_dim = impl_->spec.head_dim;
  return layout;
}

}  // namespace lq
