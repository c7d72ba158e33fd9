// Tensors: up to four dimensions, row-major by default, sharing their storage. `TensorView<T>` is the unowned typed view
// that kernels' callers use. Dimension 0 is the outermost (a matrix is {rows, columns}); GGUF's reversed order is
// translated by the reader. Strides are in bytes and only meaningful for plain (non-block) types except for rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "loquor/core/context.hpp"
#include "loquor/core/dtype.hpp"
#include "loquor/core/status.hpp"

namespace lq {

class Shape {
 public:
  static constexpr std::size_t kMaxRank = 4;
  Shape() noexcept = default;
  Shape(std::initializer_list<std::size_t> dims) {
    LQ_CHECK(dims.size() <= kMaxRank, Code::invalid_argument, "shape: rank ", dims.size(), " is over ", kMaxRank);
    for (std::size_t d : dims) dims_[rank_++] = d;
  }
  void push_back(std::size_t d) {
    LQ_CHECK(rank_ < kMaxRank, Code::invalid_argument, "shape: rank over ", kMaxRank);
    dims_[rank_++] = d;
  }
  std::size_t rank() const noexcept { return rank_; }
  std::size_t operator[](std::size_t i) const noexcept { return dims_[i]; }
  // Product of the dimensions; 1 for rank 0. Throws Error{limit} on overflow.
  std::size_t count() const {
    std::size_t n = 1;
    for (std::size_t i = 0; i < rank_; ++i)
      LQ_CHECK(!__builtin_mul_overflow(n, dims_[i], &n), Code::limit, "shape: element count overflows");
    return n;
  }
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::size_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

template <class T>
struct TensorView {
  T* data = nullptr;
  std::size_t rows = 0, cols = 0;
  std::size_t stride = 0;  // elements between rows
  T* row(std::size_t r) const noexcept { return data + r * stride; }
  T& operator()(std::size_t r, std::size_t c) const noexcept { return data[r * stride + c]; }
};

class Tensor {
 public:
  Tensor() noexcept = default;
  // Contiguous, 64-byte aligned, uninitialised. Throws Error{out_of_memory|limit|invalid_argument}.
  static Tensor empty(const Context& ctx, DType type, Shape shape);
  // A contiguous tensor inside an existing storage. Throws Error{bad_file} if it does not fit.
  static Tensor view(std::shared_ptr<Storage> storage, std::size_t offset, DType type, Shape shape);

  DType dtype() const noexcept { return type_; }
  const Shape& shape() const noexcept { return shape_; }
  std::size_t count() const { return shape_.count(); }
  std::size_t nbytes() const { return row_bytes(type_, shape_.count()); }
  std::size_t stride(std::size_t dim) const noexcept { return strides_[dim]; }  // bytes
  bool empty() const noexcept { return data_ == nullptr; }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  const std::shared_ptr<Storage>& storage() const noexcept { return storage_; }

  // Rows [begin, end) of the outermost dimension; shares the storage.
  Tensor slice(std::size_t begin, std::size_t end) const;
  // Swaps two dimensions of a plain-typed tensor; shares the storage.
  Tensor transposed(std::size_t a, std::size_t b) const;
  bool is_contiguous() const noexcept;

  // Typed matrix view. Throws Error{invalid_argument} unless rank is 1 or 2, the type matches and rows are contiguous.
  template <class T>
  TensorView<T> matrix() {
    check_matrix(sizeof(T));
    const std::size_t rows = shape_.rank() == 2 ? shape_[0] : 1;
    return {reinterpret_cast<T*>(data_), rows, shape_[shape_.rank() - 1], (shape_.rank() == 2 ? strides_[0] : nbytes()) / sizeof(T)};
  }

 private:
  void check_matrix(std::size_t elem) const;

  DType type_ = DType::F32;
  Shape shape_;
  std::array<std::size_t, Shape::kMaxRank> strides_{};
  std::byte* data_ = nullptr;
  std::shared_ptr<Storage> storage_;
};

}  // namespace lq
