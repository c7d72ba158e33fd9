#include "loquor/core/tensor.hpp"

#include <utility>

namespace lq {
namespace {

std::array<std::size_t, Shape::kMaxRank> row_major_strides(DType type, const Shape& shape) {
  std::array<std::size_t, Shape::kMaxRank> strides{};
  if (shape.rank() == 0) return strides;
  const TypeTraits& t = traits(type);
  const std::size_t last = shape.rank() - 1;
  LQ_CHECK(shape[last] % t.block_elems == 0, Code::invalid_argument, "tensor: rows of ", shape[last],
           " elements are not whole ", t.name, " blocks of ", t.block_elems);
  strides[last] = t.block_bytes;  // per block for block types
  std::size_t bytes = 0;
  LQ_CHECK(!__builtin_mul_overflow(shape[last] / t.block_elems, t.block_bytes, &bytes), Code::limit,
           "tensor: size overflows");
  for (std::size_t i = last; i-- > 0;) {
    strides[i] = bytes;
    LQ_CHECK(!__builtin_mul_overflow(bytes, shape[i], &bytes), Code::limit, "tensor: size overflows");
  }
  return strides;
}

}  // namespace

Tensor Tensor::empty(const Context& ctx, DType type, Shape shape) {
  Tensor t;
  t.strides_ = row_major_strides(type, shape);
  t.type_ = type;
  t.shape_ = shape;
  t.storage_ = std::make_shared<Storage>(ctx.allocate(row_bytes(type, shape.count())));
  t.data_ = t.storage_->data();
  return t;
}

Tensor Tensor::view(std::shared_ptr<Storage> storage, std::size_t offset, DType type, Shape shape) {
  Tensor t;
  t.strides_ = row_major_strides(type, shape);
  const std::size_t bytes = row_bytes(type, shape.count());
  LQ_CHECK(offset <= storage->size() && bytes <= storage->size() - offset, Code::bad_file, "tensor: bytes ", offset,
           "+", bytes, " are outside a storage of ", storage->size());
  t.type_ = type;
  t.shape_ = shape;
  t.data_ = storage->data() + offset;
  t.storage_ = std::move(storage);
  return t;
}

Tensor Tensor::slice(std::size_t begin, std::size_t end) const {
  LQ_CHECK(shape_.rank() > 0 && begin <= end && end <= shape_[0], Code::invalid_argument, "tensor: slice [", begin,
           ", ", end, ") of ", shape_.rank() ? shape_[0] : 0, " rows");
  LQ_CHECK(shape_.rank() > 1 || !is_block_type(type_), Code::invalid_argument,
           "tensor: cannot slice inside a row of blocks");
  Tensor t = *this;
  Shape shape{end - begin};
  for (std::size_t i = 1; i < shape_.rank(); ++i) shape.push_back(shape_[i]);
  t.shape_ = shape;
  t.data_ = data_ + begin * strides_[0];
  return t;
}

Tensor Tensor::transposed(std::size_t a, std::size_t b) const {
  LQ_CHECK(a < shape_.rank() && b < shape_.rank() && !is_block_type(type_), Code::invalid_argument,
           "tensor: cannot swap dimensions ", a, " and ", b, " of a ", name(type_), " tensor of rank ", shape_.rank());
  Tensor t = *this;
  Shape shape;
  for (std::size_t i = 0; i < shape_.rank(); ++i) shape.push_back(shape_[i == a ? b : i == b ? a : i]);
  t.shape_ = shape;
  std::swap(t.strides_[a], t.strides_[b]);
  return t;
}

bool Tensor::is_contiguous() const noexcept {
  const TypeTraits& t = traits(type_);
  std::size_t expected = t.block_bytes;
  for (std::size_t i = shape_.rank(); i-- > 0;) {
    if (strides_[i] != expected && shape_[i] != 1) return false;
    expected *= i + 1 == shape_.rank() ? shape_[i] / t.block_elems : shape_[i];
  }
  return true;
}

void Tensor::check_matrix(std::size_t elem) const {
  LQ_CHECK(shape_.rank() == 1 || shape_.rank() == 2, Code::invalid_argument, "tensor: rank ", shape_.rank(),
           " is not a matrix");
  const TypeTraits& t = traits(type_);
  LQ_CHECK(t.block_elems == 1 && t.block_bytes == elem && strides_[shape_.rank() - 1] == elem, Code::invalid_argument,
           "tensor: ", t.name, " rows cannot be viewed as elements of ", elem, " bytes");
}

}  // namespace lq
