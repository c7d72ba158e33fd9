// Splitting row-wise work over the pool; not for tiny operands, which are done before a second thread has begun.
#pragma once

#include <algorithm>

#include "loquor/core/context.hpp"

namespace lq::nn {

inline constexpr std::size_t kSerialValues = 16 * 1024;

// fn(begin, end) over [0, rows), whose rows cost about `each` simple operations.
template <class Fn>
void for_row_ranges(const Context& ctx, std::size_t rows, std::size_t each, const Fn& fn) {
  if (rows == 0) return;
  if (rows * each < kSerialValues) return fn(std::size_t{0}, rows);
  const std::size_t grain =
      std::max<std::size_t>(1, std::min(rows / (4 * ctx.pool().size()) + 1, kSerialValues / each + 1));
  ctx.pool().parallel_for(rows, grain, [&](std::size_t b, std::size_t e, unsigned) { fn(b, e); });
}

template <class Fn>
void for_rows(const Context& ctx, std::size_t rows, std::size_t each, const Fn& fn) {
  for_row_ranges(ctx, rows, each, [&](std::size_t b, std::size_t e) {
    for (std::size_t r = b; r < e; ++r) fn(r);
  });
}

// fn(first, count) over runs of values that begin at multiples of 16.
template <class Fn>
void for_values(const Context& ctx, std::size_t count, const Fn& fn) {
  for_row_ranges(ctx, (count + 4095) / 4096, 4096,
                 [&](std::size_t b, std::size_t e) { fn(b * 4096, std::min(count, e * 4096) - b * 4096); });
}

// fn(first, count) over columns, in runs of 64, of a matrix of so many rows.
template <class Fn>
void for_columns(const Context& ctx, std::size_t rows, std::size_t cols, const Fn& fn) {
  for_row_ranges(ctx, (cols + 63) / 64, 64 * rows,
                 [&](std::size_t b, std::size_t e) { fn(b * 64, std::min(cols, e * 64) - b * 64); });
}

}  // namespace lq::nn
