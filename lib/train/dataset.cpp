#include "loquor/train/dataset.hpp"

#include <bit>
#include <cstring>

#include "loquor/core/random.hpp"

namespace lq {
namespace {

class ArrayDataset final : public Dataset {
 public:
  ArrayDataset(std::size_t n, const void* x, Shape x_shape, const void* y, Shape y_shape)
      : n_(n), x_shape_(x_shape), y_shape_(y_shape) {
    LQ_CHECK(n && x_shape.count() && y_shape.count(), Code::invalid_argument, "dataset: no examples");
    std::size_t xs = 0, ys = 0;
    LQ_CHECK(!__builtin_mul_overflow(n, x_shape.count(), &xs) && !__builtin_mul_overflow(n, y_shape.count(), &ys) &&
                 xs < SIZE_MAX / 4 && ys < SIZE_MAX / 4,
             Code::limit, "dataset: ", n, " examples of ", x_shape.count(), " values");
    x_.resize(xs);
    y_.resize(ys);
    std::memcpy(x_.data(), x, xs * 4);
    std::memcpy(y_.data(), y, ys * 4);
  }
  std::size_t size() const noexcept override { return n_; }
  Shape x_shape() const override { return x_shape_; }
  Shape y_shape() const override { return y_shape_; }
  void get(std::size_t i, void* x, void* y) const override {
    const std::size_t xs = x_.size() / n_, ys = y_.size() / n_;
    std::memcpy(x, x_.data() + i * xs, xs * 4);
    std::memcpy(y, y_.data() + i * ys, ys * 4);
  }

 private:
  std::size_t n_;
  Shape x_shape_, y_shape_;
  std::vector<std::uint32_t> x_, y_;
};

class TextDataset final : public Dataset {
 public:
  TextDataset(std::span<const std::int32_t> ids, std::size_t length, std::size_t stride)
      : length_(length), stride_(stride) {
    LQ_CHECK(length && stride && ids.size() > length, Code::invalid_argument, "dataset: a text of ", ids.size(),
             " ids has no window of ", length, " and the next one");
    ids_.assign(ids.begin(), ids.end());
  }
  std::size_t size() const noexcept override { return (ids_.size() - 1 - length_) / stride_ + 1; }
  Shape x_shape() const override { return {length_}; }
  Shape y_shape() const override { return {length_}; }
  void get(std::size_t i, void* x, void* y) const override {
    std::memcpy(x, ids_.data() + i * stride_, length_ * 4);
    std::memcpy(y, ids_.data() + i * stride_ + 1, length_ * 4);
  }

 private:
  std::size_t length_, stride_;
  std::vector<std::int32_t> ids_;
};

}  // namespace

std::unique_ptr<Dataset> array_dataset(std::size_t n, const void* x, Shape x_shape, const void* y, Shape y_shape) {
  return std::make_unique<ArrayDataset>(n, x, x_shape, y, y_shape);
}

std::unique_ptr<Dataset> text_dataset(std::span<const std::int32_t> ids, std::size_t length, std::size_t stride) {
  return std::make_unique<TextDataset>(ids, length, stride);
}

std::uint64_t permuted(std::uint64_t i, std::uint64_t n, std::uint64_t key) noexcept {
  if (n < 2) return 0;
  const int half = (std::bit_width(n - 1) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {
    std::uint64_t left = i >> half, right = i & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      const std::uint64_t next = left ^ (Random(key, round).at(right) & mask);
      left = right;
      right = next;
    }
    i = left << half | right;
  } while (i >= n);
  return i;
}

}  // namespace lq
