#include "weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "loquor/core/status.hpp"
#include "loquor/quant/groups.hpp"
#include "metadata.hpp"

namespace lq {

std::size_t Linear::rows() const noexcept {
  std::size_t n = 0;
  for (const PackedMatrix& p : parts) n += p.rows();
  return n;
}

std::size_t Linear::nbytes() const noexcept {
  std::size_t n = 0;
  for (const PackedMatrix& p : parts) n += p.nbytes();
  return n;
}

std::size_t packed_size(DType type, std::size_t rows, std::size_t cols) noexcept {
  return align_up(PackedMatrix::packed_bytes(type, rows, cols));
}

PackedMatrix::Source source_of(const GgufTensor& t, Compute compute) noexcept {
  return {t.type, t.data, t.shape[0], compute == Compute::reference && is_grouped_type(t.type)};
}

namespace {

bool is_plain_float(DType t) noexcept { return t == DType::F32 || t == DType::F16 || t == DType::BF16; }

std::vector<PackedMatrix::Source> sources_of(const LinearPlan& plan, Compute compute) {
  std::vector<PackedMatrix::Source> out;
  for (const GgufTensor* t : plan.sources) out.push_back(source_of(*t, compute));
  return out;
}

std::string shape_text(const Shape& s) {
  std::string out = "[";
  for (std::size_t i = 0; i < s.rank(); ++i) out += str(i ? ", " : "", s[i]);
  return out + "]";
}

// Finds and checks tensors, and adds up what the packed copies will take.
class Planner {
 public:
  Planner(const GgufFile& file, WeightPlan& plan) : file_(file), plan_(plan) {}

  const GgufTensor* optional(const std::string& name, std::size_t rows, std::size_t cols) const {
    const GgufTensor* t = file_.find_tensor(name);
    if (t) check_shape(*t, rows, cols);
    return t;
  }
  const GgufTensor* required(const std::string& name, std::size_t rows, std::size_t cols) const {
    const GgufTensor* t = optional(name, rows, cols);
    LQ_CHECK(t, Code::bad_file, "model: tensor '", name, "' is missing");
    return t;
  }
  // A vector (rows == 0 in check_shape) that will be widened to fp32.
  const GgufTensor* vector(const std::string& name, std::size_t n) {
    const GgufTensor* t = required(name, 0, n);
    add_floats(*t);
    return t;
  }
  const GgufTensor* optional_vector(const std::string& name, std::size_t n) {
    const GgufTensor* t = optional(name, 0, n);
    if (t) add_floats(*t);
    return t;
  }
  LinearPlan linear(const std::string& prefix, std::initializer_list<std::string_view> names,
                    std::initializer_list<std::size_t> rows, std::size_t cols, bool interleave);
  void add_matrix(const GgufTensor& t) { add_packed(source_of(t, plan_.compute).packed(), t.shape[0], t.shape[1]); }

 private:
  void add_packed(DType type, std::size_t rows, std::size_t cols) {
    plan_.packed_bytes += packed_size(type, rows, cols);
  }
  void add_floats(const GgufTensor& t) const {
    LQ_CHECK(is_plain_float(t.type), Code::unsupported, "model: tensor '", t.name, "' has type ", name(t.type),
             ", expected F32, F16 or BF16");
    plan_.float_count += align_floats(t.shape[0]);
  }
  static void check_shape(const GgufTensor& t, std::size_t rows, std::size_t cols) {
    const Shape expected = rows ? Shape{rows, cols} : Shape{cols};
    LQ_CHECK(t.shape == expected, Code::bad_file, "model: tensor '", t.name, "' has shape ", shape_text(t.shape),
             ", expected ", shape_text(expected));
  }

  const GgufFile& file_;
  WeightPlan& plan_;
};

LinearPlan Planner::linear(const std::string& prefix, std::initializer_list<std::string_view> names,
                           std::initializer_list<std::size_t> rows, std::size_t cols, bool interleave) {
  LinearPlan plan;
  plan.cols = cols;
  auto n = rows.begin();
  bool any_bias = false;
  for (std::string_view name : names) {
    const std::string base = prefix + std::string(name);
    plan.sources.push_back(required(base + ".weight", *n, cols));
    plan.biases.push_back(optional(base + ".bias", 0, *n));
    if (const GgufTensor* b = plan.biases.back()) {
      LQ_CHECK(is_plain_float(b->type), Code::unsupported, "model: tensor '", b->name, "' has type ", lq::name(b->type),
               ", expected F32, F16 or BF16");
      any_bias = true;
    }
    plan.rows += *n++;
  }
  if (!any_bias) plan.biases.clear();
  if (any_bias) plan_.float_count += align_floats(plan.rows);
  const auto sources = sources_of(plan, plan_.compute);
  plan.fused = sources.size() > 1 && PackedMatrix::can_pack(sources) && (!interleave || sources[0].rows % 16 == 0);
  plan.interleaved = plan.fused && interleave;
  if (plan.fused)
    add_packed(sources[0].packed(), plan.rows, cols);
  else
    for (const auto& s : sources) add_packed(s.packed(), s.rows, cols);
  return plan;
}

}  // namespace

WeightPlan plan_weights(const GgufFile& file, Compute compute) {
  const Metadata meta(file);
  const Family& family = find_family(meta.arch());
  WeightPlan plan;
  plan.compute = compute;
  plan.spec = family.read_spec(meta);
  DecoderSpec& s = plan.spec;
  plan.rope_divisor = meta.rope_divisor();
  Planner planner(file, plan);
  const ModelNames& names = family.names;
  s.n_vocab = meta.vocab_size(names.embedding);
  plan.embedding = planner.required(std::string(names.embedding), s.n_vocab, s.d_model);
  planner.add_matrix(*plan.embedding);
  plan.head = planner.optional(std::string(names.head), s.n_vocab, s.d_model);
  s.tied_embedding = plan.head == nullptr;
  if (plan.head) planner.add_matrix(*plan.head);
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
