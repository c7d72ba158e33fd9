#include <cstring>

#include "loquor/kernels/table.hpp"
#include "loquor/nn/ops.hpp"

namespace lq {
namespace {

std::size_t total_rows(std::span<const PackedMatrix::Source> sources) {
  std::size_t n = 0;
  for (const auto& s : sources)
    LQ_CHECK(!__builtin_add_overflow(n, s.rows, &n), Code::limit, "matrix: row count overflows");
  return n;
}

}  // namespace

bool PackedMatrix::can_pack(std::span<const Source> sources) noexcept {
  if (sources.empty()) return false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].type != sources[0].type || sources[i].type == DType::I32) return false;
    // A source that does not end on a panel would put rows of two sources into one panel: only the last may.
    if (i + 1 < sources.size() && sources[i].rows % kPanelRows != 0) return false;
  }
  return true;
}

std::size_t PackedMatrix::packed_bytes(DType type, std::size_t rows, std::size_t cols) noexcept {
  return (rows + kPanelRows - 1) / kPanelRows * lq::panel_bytes(type, cols);
}

PackedMatrix PackedMatrix::pack(const Context& ctx, std::span<const Source> sources, std::size_t cols, Order order) {
  LQ_CHECK(can_pack(sources), Code::unsupported, "matrix: sources of different types cannot be packed together");
  const DType type = sources[0].type;
  LQ_CHECK(cols % traits(type).block_elems == 0, Code::unsupported, "matrix: ", cols, " columns are not whole ",
           name(type), " blocks");
  LQ_CHECK(order == Order::concatenate ||
               (sources.size() == 2 && sources[0].rows == sources[1].rows && sources[0].rows % kPanelRows == 0),
           Code::unsupported, "matrix: only two sources of the same, whole number of panels can be interleaved");
  PackedMatrix m;
  m.type_ = type;
  m.rows_ = total_rows(sources);
  m.cols_ = cols;
  m.panel_bytes_ = lq::panel_bytes(type, cols);
  m.storage_ = ctx.allocate(packed_bytes(type, m.rows_, cols), true);
  const std::size_t stride = row_bytes(type, cols);
  ctx.pool().parallel_for(m.panels(), [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t p = begin; p < end; ++p) {
      std::size_t source = order == Order::interleave ? p % 2 : 0;
      std::size_t row = (order == Order::interleave ? p / 2 : p) * kPanelRows;
      while (row >= sources[source].rows && source + 1 < sources.size()) row -= sources[source++].rows;
      const std::size_t left = sources[source].rows - row;
      pack_panel(type, sources[source].data + row * stride, stride, left < kPanelRows ? left : kPanelRows, cols,
                 m.storage_.data() + p * m.panel_bytes_);
    }
  });
  return m;
}

PackedMatrix PackedMatrix::panel_range(std::size_t begin, std::size_t end) const noexcept {
  PackedMatrix m;
  m.type_ = type_;
  m.rows_ = (end * kPanelRows < rows_ ? end * kPanelRows : rows_) - begin * kPanelRows;
  m.cols_ = cols_;
  m.panel_bytes_ = panel_bytes_;
  m.storage_ = Storage::borrow(data() + begin * panel_bytes_, (end - begin) * panel_bytes_);
  return m;
}

void PackedMatrix::row(const Context&, std::size_t r, float* dst) const noexcept {
  unpack_row(type_, storage_.data() + r / kPanelRows * panel_bytes_, r % kPanelRows, cols_, dst);
}

}  // namespace lq
