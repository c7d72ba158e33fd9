// Plans: which tensors of a file a model is made of, checked for shape and type, and how much memory their packed
// copies take. No weight is read to make a plan, and nothing large is allocated. Private to lib/models.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/formats/gguf.hpp"
#include "loquor/nn/ops.hpp"

namespace lq {

// One or several matrices that see the same input. `parts` has one packed matrix when they could be fused (same type),
// else one per source; together their outputs are the columns of one row-major result.
struct Linear {
  std::vector<PackedMatrix> parts;
  const float* bias = nullptr;  // over all columns, nullptr if no part has one
  bool interleaved = false;     // one part whose 16-row panels alternate between two sources

  std::size_t rows() const noexcept;
  std::size_t nbytes() const noexcept;
};

struct NormWeights {
  const float *weight = nullptr, *bias = nullptr;  // (C); bias may be nullptr
};
struct NormPlan {
  const GgufTensor *weight = nullptr, *bias = nullptr;
};

// References into the file.
struct LinearPlan {
  std::vector<const GgufTensor*> sources, biases;  // biases: one per source, nullptr where absent
  std::size_t cols = 0, rows = 0;
  bool fused = true, interleaved = false;
  std::vector<std::unique_ptr<GgufTensor>> views = {};  // sources that are only rows of a tensor of the file
};

// What a plan's weights take.
struct PlanTotals {
  Compute compute = Compute::quantized;
  std::size_t float_count = 0;  // floats of norms and biases, each vector rounded up to a cache line
  std::size_t packed_bytes = 0;

  std::size_t nbytes() const noexcept { return packed_bytes + float_count * sizeof(float); }
};

// Finds and checks tensors, and adds up what the packed copies will take. Throws Error{bad_file|unsupported} naming the
// tensor, expected and found.
class Planner {
 public:
  Planner(const GgufFile& file, PlanTotals& totals) : file_(file), totals_(totals) {}

  // A tensor of that shape, not added up; rows == 0: a vector.
  const GgufTensor* optional(const std::string& name, std::size_t rows, std::size_t cols) const;
  const GgufTensor* required(const std::string& name, std::size_t rows, std::size_t cols) const;
  // Vectors that will be widened to fp32.
  const GgufTensor* vector(const std::string& name, std::size_t n);
  const GgufTensor* optional_vector(const std::string& name, std::size_t n);
  // A matrix that will be packed as it is, or widened to fp32 row by row.
  const GgufTensor* matrix(const std::string& name, std::size_t rows, std::size_t cols);
  const GgufTensor* optional_matrix(const std::string& name, std::size_t rows, std::size_t cols);
  const GgufTensor* table(const std::string& name, std::size_t rows, std::size_t cols);
  // The matrices <prefix><name>.weight with their optional biases, packed as one where that is possible.
  LinearPlan linear(const std::string& prefix, std::initializer_list<std::string_view> names,
                    std::initializer_list<std::size_t> rows, std::size_t cols, bool interleave);
  // The same of the consecutive rows of one tensor without a bias.
  LinearPlan split(const std::string& name, std::initializer_list<std::size_t> rows, std::size_t cols, bool interleave);
  // Matrix i of the `count` that lie on one another in each of the named tensors.
  LinearPlan expert(const std::string& prefix, std::initializer_list<std::string_view> names, std::size_t i,
                    std::size_t count, std::size_t rows, std::size_t cols, bool interleave);
  // <name>.weight, and <name>.bias if it is there or must be.
  NormPlan norm(const std::string& name, std::size_t n, bool needs_bias);
  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }

 private:
  void finish(LinearPlan& plan, bool interleave);
  void add_packed(DType type, std::size_t rows, std::size_t cols);
  void add_floats(const GgufTensor& t);

  const GgufFile& file_;
  PlanTotals& totals_;
};

// A matrix of the file, as `compute` wants it packed: in reference mode types whose panels would round become F32.
PackedMatrix::Source source_of(const GgufTensor& t, Compute compute) noexcept;

// Bytes that a matrix takes in the block of packed weights.
std::size_t packed_size(DType type, std::size_t rows, std::size_t cols) noexcept;

bool is_plain_float(DType t) noexcept;

}  // namespace lq
