// Lays out the weights of a plan in one block of memory, reads the small tensors and has the matrices packed.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <utility>

#include "loquor/core/half.hpp"
#include "loquor/core/status.hpp"
#include "packer.hpp"
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
      : ctx_(ctx), plan_(plan), packer_(ctx, file, options) {}

  Weights run(const std::function<void()>& beside);
  std::uint64_t fingerprint() const noexcept { return hash_.value(); }

 private:
  void note(const GgufTensor& t);
  const float* vector(const GgufTensor& t);
  const float* bias(const LinearPlan& plan);
  void read_bias(const LinearPlan& plan, float* dst);
  PackedMatrix matrix(std::span<const PackedMatrix::Source> sources, std::size_t cols, PackedMatrix::Order order);
  PackedMatrix matrix(const GgufTensor& t);
  Linear linear(const LinearPlan& plan);
  void rope(Weights& w);
  void hash_spec();
  float* take_floats(std::size_t n) noexcept { return std::exchange(floats_, floats_ + align_floats(n)); }

  const Context& ctx_;
  const WeightPlan& plan_;
  Packer packer_;
  float* floats_ = nullptr;      // the next one that is free
  std::byte* packed_ = nullptr;  // likewise
  std::vector<PanelRun> runs_;
  // What reads the file: done by one thread, in this order, while the others pack.
  std::vector<std::function<void()>> small_;
  Hash hash_;
};

// Its directory entry and three samples of its data go into the fingerprint.
void Loader::note(const GgufTensor& t) {
  small_.push_back([this, &t] {
    hash_.add(t.name);
    hash_.add(static_cast<std::uint64_t>(t.type));
    for (std::size_t i = 0; i < t.shape.rank(); ++i) hash_.add(t.shape[i]);
    const std::size_t sample = std::min<std::size_t>(t.nbytes, 256);
    for (std::size_t at : {std::size_t{0}, (t.nbytes - sample) / 2, t.nbytes - sample}) hash_.add(t.data + at, sample);
  });
}

const float* Loader::vector(const GgufTensor& t) {
  float* dst = take_floats(t.shape.count());
  note(t);
  small_.push_back([&t, dst] { widen(t, dst); });
  return dst;
}

const float* Loader::bias(const LinearPlan& plan) {
  if (plan.biases.empty()) return nullptr;
  float* dst = take_floats(plan.rows);
  for (const GgufTensor* b : plan.biases)
    if (b) note(*b);
  small_.push_back([this, &plan, dst] { read_bias(plan, dst); });
  return dst;
}

// The biases of all sources in the order of the output's columns; zero where a source has none.
void Loader::read_bias(const LinearPlan& plan, float* dst) {
  std::vector<float> all(plan.rows, 0.0f);
  std::size_t at = 0;
  for (std::size_t i = 0; i < plan.sources.size(); ++i) {
    if (plan.biases[i]) widen(*plan.biases[i], all.data() + at);
    at += plan.sources[i]->shape[0];
  }
  const std::size_t half = plan.rows / 2;
  for (std::size_t c = 0; c < plan.rows; ++c) {
    const std::size_t panel = c / 16;
    dst[c] = plan.interleaved ? all[panel % 2 * half + panel / 2 * 16 + c % 16] : all[c];
  }
}

PackedMatrix Loader::matrix(std::span<const PackedMatrix::Source> sources, std::size_t cols,
                            PackedMatrix::Order order) {
  PackedMatrix m = PackedMatrix::place(sources, cols, order, packed_, runs_);
  packed_ += packed_size(m.dtype(), m.rows(), m.cols());
  return m;
}

PackedMatrix Loader::matrix(const GgufTensor& t) {
  note(t);
  const PackedMatrix::Source source = source_of(t, plan_.compute);
  return matrix({&source, 1}, t.shape[1], PackedMatrix::Order::concatenate);
}

Linear Loader::linear(const LinearPlan& plan) {
  Linear out;
  out.interleaved = plan.interleaved;
  out.bias = bias(plan);
  if (!plan.fused) {
    for (const GgufTensor* t : plan.sources) out.parts.push_back(matrix(*t));
    return out;
  }
  std::vector<PackedMatrix::Source> sources;
  for (const GgufTensor* t : plan.sources) {
    note(*t);
    sources.push_back(source_of(*t, plan_.compute));
  }
  out.parts.push_back(matrix(sources, plan.cols,
                             plan.interleaved ? PackedMatrix::Order::interleave : PackedMatrix::Order::concatenate));
  return out;
}

// Rotary frequencies base^(-2i/d), slowed by linear scaling and by the file's own factors (llama 3).
void Loader::rope(Weights& w) {
  const std::size_t half = plan_.spec.rope_dim / 2;
  std::vector<float> factors(half, 1.0f);
  if (plan_.rope_factors) widen(*plan_.rope_factors, factors.data());
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

Weights Loader::run(const std::function<void()>& beside) {
  hash_spec();
  Weights w;
  w.floats = ctx_.allocate(plan_.float_count * sizeof(float));
  w.packed = ctx_.allocate(plan_.packed_bytes, true);
  floats_ = reinterpret_cast<float*>(w.floats.data());
  packed_ = w.packed.data();
  w.final_norm = vector(*plan_.final_norm);
  if (plan_.rope_factors) note(*plan_.rope_factors);
  small_.push_back([&] { rope(w); });
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
  const std::function<void()> read_small = [this] {
    for (const auto& step : small_) step();
  };
  std::vector<std::function<void()>> tasks;
  if (beside) tasks.push_back(beside);
  tasks.push_back(read_small);
  packer_.run(std::move(runs_), tasks);
  return w;
}

}  // namespace

Weights load_weights(const Context& ctx, const GgufFile& file, const WeightPlan& plan, const LoadOptions& options,
                     const std::function<void()>& beside, std::uint64_t* fingerprint) {
  LQ_CHECK(options.memory_cap == 0 || plan.nbytes() <= options.memory_cap, Code::out_of_memory,
           "model: the weights need ", plan.nbytes(), " bytes, over the cap of ", options.memory_cap);
  Loader loader(ctx, file, plan, options);
  Weights weights = loader.run(beside);
  *fingerprint = loader.fingerprint();
  return weights;
}

}  // namespace lq
