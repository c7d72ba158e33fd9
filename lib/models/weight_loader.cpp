#include "weight_loader.hpp"

#include "loquor/core/status.hpp"
#include "loquor/quant/rows.hpp"

namespace lq {

void widen(const GgufTensor& t, float* dst) { decode_row(t.type, t.data, t.shape.count(), dst); }

WeightLoader::WeightLoader(const Context& ctx, const GgufFile& file, const PlanTotals& totals,
                           const LoadOptions& options)
    : compute_(totals.compute), packer_(ctx, file, options) {
  LQ_CHECK(options.memory_cap == 0 || totals.nbytes() <= options.memory_cap, Code::out_of_memory,
           "model: the weights need ", totals.nbytes(), " bytes, over the cap of ", options.memory_cap);
  float_storage_ = ctx.allocate(totals.float_count * sizeof(float));
  packed_storage_ = ctx.allocate(totals.packed_bytes, true);
  floats_ = reinterpret_cast<float*>(float_storage_.data());
  packed_ = packed_storage_.data();
}

void WeightLoader::note(const GgufTensor& t) {
  small_.push_back([this, &t] {
    hash_.add(t.name);
    hash_.add(static_cast<std::uint64_t>(t.type));
    for (std::size_t i = 0; i < t.shape.rank(); ++i) hash_.add(t.shape[i]);
    const std::size_t sample = std::min<std::size_t>(t.nbytes, 256);
    for (std::size_t at : {std::size_t{0}, (t.nbytes - sample) / 2, t.nbytes - sample}) hash_.add(t.data + at, sample);
  });
}

const float* WeightLoader::vector(const GgufTensor& t) {
  float* dst = take_floats(t.shape.count());
  note(t);
  small_.push_back([&t, dst] { widen(t, dst); });
  return dst;
}

const float* WeightLoader::bias(const LinearPlan& plan) {
  if (plan.biases.empty()) return nullptr;
  float* dst = take_floats(plan.rows);
  for (const GgufTensor* b : plan.biases)
    if (b) note(*b);
  small_.push_back([this, &plan, dst] { read_bias(plan, dst); });
  return dst;
}

// The biases of all sources in the order of the output's columns; zero where a source has none.
void WeightLoader::read_bias(const LinearPlan& plan, float* dst) {
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

PackedMatrix WeightLoader::matrix(std::span<const PackedMatrix::Source> sources, std::size_t cols,
                                  PackedMatrix::Order order) {
  PackedMatrix m = PackedMatrix::place(sources, cols, order, packed_, runs_);
  packed_ += packed_size(m.dtype(), m.rows(), m.cols());
  return m;
}

PackedMatrix WeightLoader::matrix(const GgufTensor& t) {
  note(t);
  const PackedMatrix::Source source = source_of(t, compute_);
  return matrix({&source, 1}, t.shape[1], PackedMatrix::Order::concatenate);
}

Linear WeightLoader::linear(const LinearPlan& plan) {
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
    sources.push_back(source_of(*t, compute_));
  }
  out.parts.push_back(matrix(sources, plan.cols,
                             plan.interleaved ? PackedMatrix::Order::interleave : PackedMatrix::Order::concatenate));
  return out;
}

void WeightLoader::run(const std::function<void()>& beside) {
  const std::function<void()> read_small = [this] {
    for (const auto& step : small_) step();
  };
  std::vector<std::function<void()>> tasks;
  if (beside) tasks.push_back(beside);
  tasks.push_back(read_small);
  packer_.run(std::move(runs_), tasks);
}

}  // namespace lq
