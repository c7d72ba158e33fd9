#include "planner.hpp"

#include "loquor/core/status.hpp"
#include "loquor/quant/groups.hpp"
#include "loquor/quant/rows.hpp"

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

bool is_plain_float(DType t) noexcept { return t == DType::F32 || t == DType::F16 || t == DType::BF16; }

namespace {

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

}  // namespace

const GgufTensor* Planner::optional(const std::string& name, std::size_t rows, std::size_t cols) const {
  const GgufTensor* t = file_.find_tensor(name);
  if (!t) return nullptr;
  const Shape expected = rows ? Shape{rows, cols} : Shape{cols};
  LQ_CHECK(t->shape == expected, Code::bad_file, "model: tensor '", t->name, "' has shape ", shape_text(t->shape),
           ", expected ", shape_text(expected));
  return t;
}

const GgufTensor* Planner::required(const std::string& name, std::size_t rows, std::size_t cols) const {
  const GgufTensor* t = optional(name, rows, cols);
  LQ_CHECK(t, Code::bad_file, "model: tensor '", name, "' is missing");
  return t;
}

const GgufTensor* Planner::vector(const std::string& name, std::size_t n) {
  const GgufTensor* t = required(name, 0, n);
  add_floats(*t);
  return t;
}

const GgufTensor* Planner::optional_vector(const std::string& name, std::size_t n) {
  const GgufTensor* t = optional(name, 0, n);
  if (t) add_floats(*t);
  return t;
}

const GgufTensor* Planner::matrix(const std::string& name, std::size_t rows, std::size_t cols) {
  const GgufTensor* t = required(name, rows, cols);
  add_packed(source_of(*t, totals_.compute).packed(), rows, cols);
  return t;
}

const GgufTensor* Planner::optional_matrix(const std::string& name, std::size_t rows, std::size_t cols) {
  return optional(name, rows, cols) ? matrix(name, rows, cols) : nullptr;
}

const GgufTensor* Planner::table(const std::string& name, std::size_t rows, std::size_t cols) {
  const GgufTensor* t = required(name, rows, cols);
  LQ_CHECK(is_real_type(t->type), Code::unsupported, "model: tensor '", name, "' has type ", lq::name(t->type));
  totals_.float_count += align_floats(rows * cols);
  return t;
}

void Planner::add_packed(DType type, std::size_t rows, std::size_t cols) {
  totals_.packed_bytes += packed_size(type, rows, cols);
}

void Planner::add_floats(const GgufTensor& t) {
  LQ_CHECK(is_plain_float(t.type), Code::unsupported, "model: tensor '", t.name, "' has type ", name(t.type),
           ", expected F32, F16 or BF16");
  totals_.float_count += align_floats(t.shape[0]);
}

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
  finish(plan, interleave);
  return plan;
}

// Decides whether the sources are packed as one, and adds them up.
void Planner::finish(LinearPlan& plan, bool interleave) {
  if (!plan.biases.empty()) totals_.float_count += align_floats(plan.rows);
  const auto sources = sources_of(plan, totals_.compute);
  plan.fused = sources.size() > 1 && PackedMatrix::can_pack(sources) && (!interleave || sources[0].rows % 16 == 0);
  plan.interleaved = plan.fused && interleave;
  if (plan.fused)
    add_packed(sources[0].packed(), plan.rows, plan.cols);
  else
    for (const auto& s : sources) add_packed(s.packed(), s.rows, plan.cols);
}

LinearPlan Planner::split(const std::string& name, std::initializer_list<std::size_t> rows, std::size_t cols,
                          bool interleave) {
  LinearPlan plan;
  plan.cols = cols;
  for (const std::size_t n : rows) plan.rows += n;
  const GgufTensor* whole = required(name, plan.rows, cols);
  std::size_t at = 0;
  for (const std::size_t n : rows) {
    auto view = std::make_unique<GgufTensor>(*whole);
    view->shape = {n, cols};
    view->data = whole->data + row_bytes(whole->type, cols) * at;
    view->nbytes = row_bytes(whole->type, cols) * n;
    plan.sources.push_back(view.get());
    plan.views.push_back(std::move(view));
    at += n;
  }
  finish(plan, interleave);
  return plan;
}

LinearPlan Planner::expert(const std::string& prefix, std::initializer_list<std::string_view> names, std::size_t i,
                           std::size_t count, std::size_t rows, std::size_t cols, bool interleave) {
  LinearPlan plan;
  plan.cols = cols;
  for (const std::string_view part : names) {
    const std::string name = prefix + std::string(part) + ".weight";
    const GgufTensor* all = file_.find_tensor(name);
    LQ_CHECK(all, Code::bad_file, "model: tensor '", name, "' is missing");
    const Shape expected{count, rows, cols};
    LQ_CHECK(all->shape == expected, Code::bad_file, "model: tensor '", name, "' has shape ", shape_text(all->shape),
             ", expected ", shape_text(expected));
    auto view = std::make_unique<GgufTensor>(*all);
    view->shape = {rows, cols};
    view->nbytes = all->nbytes / count;
    view->data = all->data + view->nbytes * i;
    plan.sources.push_back(view.get());
    plan.views.push_back(std::move(view));
    plan.rows += rows;
  }
  finish(plan, interleave);
  return plan;
}

NormPlan Planner::norm(const std::string& name, std::size_t n, bool needs_bias) {
  const std::string bias = name + ".bias";
  return {vector(name + ".weight", n), needs_bias ? vector(bias, n) : optional_vector(bias, n)};
}

}  // namespace lq
