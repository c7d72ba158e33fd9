// Packs the tensors of a plan, one at a time on all threads, giving back the file's pages as it goes.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "loquor/core/half.hpp"
#include "loquor/core/status.hpp"
#include "weights.hpp"

namespace lq {
namespace {

// FNV-1a over 64-bit words: an identity, not a defence against a forger.
class Hash {
 public:
  void add(std::uint64_t word) noexcept { h_ = (h_ ^ word) * 0x100000001b3u; }
  void add(std::string_view s) noexcept {
    add(s.size());
    for (char c : s) add(static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
  }
  void add(const std::byte* p, std::size_t n) noexcept {
    for (std::size_t i = 0; i + 8 <= n; i += 8) {
      std::uint64_t w;
      std::memcpy(&w, p + i, 8);
      add(w);
    }
    for (std::size_t i = n / 8 * 8; i < n; ++i) add(static_cast<std::uint64_t>(p[i]));
  }
  std::uint64_t value() const noexcept {
    std::uint64_t z = h_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t h_ = 0xcbf29ce484222325u;
};

void widen(const GgufTensor& t, float* dst) {
  const std::size_t n = t.shape.count();
  switch (t.type) {
    case DType::F16:
      for (std::size_t i = 0; i < n; ++i) {
        f16 h;
        std::memcpy(&h, t.data + 2 * i, 2);
        dst[i] = to_float(h);
      }
      return;
    case DType::BF16:
      for (std::size_t i = 0; i < n; ++i) {
        bf16 h;
        std::memcpy(&h, t.data + 2 * i, 2);
        dst[i] = to_float(h);
      }
      return;
    default:
      std::memcpy(dst, t.data, n * sizeof(float));
  }
}

class Loader {
 public:
  Loader(const Context& ctx, const GgufFile& file, const WeightPlan& plan, const LoadOptions& options)
      : ctx_(ctx), file_(file), plan_(plan), options_(options), total_(std::max<std::size_t>(plan.nbytes(), 1)) {}

  Weights run();
  std::uint64_t fingerprint() const noexcept { return hash_.value(); }

 private:
  // Mapped pages are dropped once this much has been read: each drop interrupts the other threads.
  static constexpr std::size_t kDropBytes = std::size_t{8} << 20;

  void note(const GgufTensor& t);
  void report(std::size_t bytes);
  void poll() const;
  void drop();
  const float* vector(const GgufTensor& t);
  const float* bias(const LinearPlan& plan);
  PackedMatrix matrix(const GgufTensor& t);
  Linear linear(const LinearPlan& plan);
  void rope(Weights& w);
  void hash_spec();

  const Context& ctx_;
  const GgufFile& file_;
  const WeightPlan& plan_;
  const LoadOptions& options_;
  std::size_t total_, done_ = 0, pending_drop_ = 0, float_used_ = 0;
  std::vector<const GgufTensor*> to_drop_;
  float* floats_ = nullptr;
  Hash hash_;
};

void Loader::poll() const {
  if (options_.cancel && options_.cancel->load(std::memory_order_relaxed))
    fail(Code::cancelled, "model: loading was cancelled");
}

// Its directory entry and three samples of its data go into the fingerprint.
void Loader::note(const GgufTensor& t) {
  hash_.add(t.name);
  hash_.add(static_cast<std::uint64_t>(t.type));
  for (std::size_t i = 0; i < t.shape.rank(); ++i) hash_.add(t.shape[i]);
  const std::size_t sample = std::min<std::size_t>(t.nbytes, 256);
  for (std::size_t at : {std::size_t{0}, (t.nbytes - sample) / 2, t.nbytes - sample}) hash_.add(t.data + at, sample);
  to_drop_.push_back(&t);
  pending_drop_ += t.nbytes;
}

void Loader::drop() {
  for (const GgufTensor* t : to_drop_) file_.drop_pages(*t);
  to_drop_.clear();
  pending_drop_ = 0;
}

void Loader::report(std::size_t bytes) {
  done_ += bytes;
  if (pending_drop_ >= kDropBytes) drop();
  if (options_.progress &&
      !options_.progress(static_cast<float>(static_cast<double>(done_) / static_cast<double>(total_))))
    fail(Code::cancelled, "model: loading was stopped by the progress callback");
  poll();
}

const float* Loader::vector(const GgufTensor& t) {
  float* dst = floats_ + float_used_;
  const std::size_t n = t.shape.count();
  note(t);
  widen(t, dst);
  float_used_ += (n + 15) / 16 * 16;
  return dst;
}

// The biases of all sources in the order of the output's columns; zero where a source has none.
const float* Loader::bias(const LinearPlan& plan) {
  if (plan.biases.empty()) return nullptr;
  float* dst = floats_ + float_used_;
  float_used_ += (plan.rows + 15) / 16 * 16;
  std::vector<float> all(plan.rows, 0.0f);
  std::size_t at = 0;
  for (std::size_t i = 0; i < plan.sources.size(); ++i) {
    if (plan.biases[i]) {
      note(*plan.biases[i]);
      widen(*plan.biases[i], all.data() + at);
    }
    at += plan.sources[i]->shape[0];
  }
  const std::size_t half = plan.rows / 2;
  for (std::size_t c = 0; c < plan.rows; ++c) {
    const std::size_t panel = c / 16;
    dst[c] = plan.interleaved ? all[panel % 2 * half + panel / 2 * 16 + c % 16] : all[c];
  }
  return dst;
}

PackedMatrix Loader::matrix(const GgufTensor& t) {
  poll();
  note(t);
  const PackedMatrix::Source source{t.type, t.data, t.shape[0]};
  PackedMatrix m = PackedMatrix::pack(ctx_, {&source, 1}, t.shape[1]);
  report(m.nbytes());
  return m;
}

Linear Loader::linear(const LinearPlan& plan) {
  Linear out;
  out.interleaved = plan.interleaved;
  out.bias = bias(plan);
  if (!plan.fused) {
    for (const GgufTensor* t : plan.sources) out.parts.push_back(matrix(*t));
    return out;
  }
  poll();
  std::vector<PackedMatrix::Source> sources;
  for (const GgufTensor* t : plan.sources) {
    note(*t);
    sources.push_back({t->type, t->data, t->shape[0]});
  }
  out.parts.push_back(PackedMatrix::pack(
      ctx_, sources, plan.cols, plan.interleaved ? PackedMatrix::Order::interleave : PackedMatrix::Order::concatenate));
  report(out.parts[0].nbytes());
  return out;
}

// Rotary frequencies base^(-2i/d), slowed by linear scaling and by the file's own factors (llama 3).
void Loader::rope(Weights& w) {
  const std::size_t half = plan_.spec.rope_dim / 2;
  std::vector<float> factors(half, 1.0f);
  if (plan_.rope_factors) {
    note(*plan_.rope_factors);
    widen(*plan_.rope_factors, factors.data());
  }
  for (std::size_t i = 0; i < half; ++i) {
    LQ_CHECK(std::isfinite(factors[i]) && factors[i] > 0, Code::bad_file, "model: tensor '", plan_.rope_factors->name,
             "' has the factor ", factors[i], " at ", i);
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(plan_.spec.rope_dim);
    w.rope_inverse.push_back(std::pow(static_cast<double>(plan_.spec.rope_base), exponent) /
                             (static_cast<double>(factors[i]) * plan_.rope_divisor));
  }
}

void Loader::hash_spec() {
  const DecoderSpec& s = plan_.spec;
  hash_.add(s.arch);
  for (std::size_t v : {s.n_vocab, s.n_layer, s.d_model, s.n_head, s.n_kv_head, s.head_dim, s.d_ff, s.rope_dim,
                        static_cast<std::size_t>(s.rope_style)})
    hash_.add(v);
  for (double v : {double{s.rope_base}, double{s.norm_eps}, double{s.attention_scale}, plan_.rope_divisor})
    hash_.add(std::bit_cast<std::uint64_t>(v));
}

Weights Loader::run() {
  poll();
  hash_spec();
  Weights w;
  w.floats = ctx_.allocate(plan_.float_count * sizeof(float));
  floats_ = reinterpret_cast<float*>(w.floats.data());
  w.final_norm = vector(*plan_.final_norm);
  rope(w);
  w.embedding = matrix(*plan_.embedding);
  if (plan_.head) w.head = matrix(*plan_.head);
  w.layers.reserve(plan_.layers.size());
  for (const LayerPlan& p : plan_.layers) {
    LayerWeights& layer = w.layers.emplace_back();
    layer.attn_norm = vector(*p.attn_norm);
    layer.ffn_norm = vector(*p.ffn_norm);
    layer.qkv = linear(p.qkv);
    layer.o = linear(p.o);
    layer.gate_up = linear(p.gate_up);
    layer.down = linear(p.down);
  }
  drop();
  return w;
}

}  // namespace

Weights load_weights(const Context& ctx, const GgufFile& file, const WeightPlan& plan, const LoadOptions& options,
                     std::uint64_t* fingerprint) {
  LQ_CHECK(options.memory_cap == 0 || plan.nbytes() <= options.memory_cap, Code::out_of_memory,
           "model: the weights need ", plan.nbytes(), " bytes, over the cap of ", options.memory_cap);
  Loader loader(ctx, file, plan, options);
  Weights weights = loader.run();
  *fingerprint = loader.fingerprint();
  return weights;
}

}  // namespace lq
