#include "loquor/nn/packed_matrix.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/quant/rows.hpp"

namespace lq {
namespace {

std::size_t total_rows(std::span<const PackedMatrix::Source> sources) {
  std::size_t n = 0;
  for (const auto& s : sources)
    LQ_CHECK(!__builtin_add_overflow(n, s.rows, &n), Code::limit, "matrix: row count overflows");
  return n;
}

void check_sources(std::span<const PackedMatrix::Source> sources, std::size_t cols, PackedMatrix::Order order) {
  LQ_CHECK(PackedMatrix::can_pack(sources), Code::unsupported,
           "matrix: sources of different types cannot be packed together");
  const DType type = sources[0].type;
  LQ_CHECK(cols % traits(type).block_elems == 0, Code::unsupported, "matrix: ", cols, " columns are not whole ",
           name(type), " blocks");
  LQ_CHECK(order == PackedMatrix::Order::concatenate ||
               (sources.size() == 2 && sources[0].rows == sources[1].rows && sources[0].rows % kPanelRows == 0),
           Code::unsupported, "matrix: only two sources of the same, whole number of panels can be interleaved");
}

// Rows decoded to fp32, some columns at a time.
void widen_panel(DType type, const std::byte* rows, std::size_t stride, std::size_t n, std::size_t cols,
                 std::byte* panel) noexcept {
  constexpr std::size_t kCols = 256;  // whole blocks of every type
  float values[kPanelRows * kCols];
  for (std::size_t at = 0; at < cols; at += kCols) {
    const std::size_t width = std::min(kCols, cols - at);
    for (std::size_t r = 0; r < n; ++r)
      decode_row(type, rows + r * stride + row_bytes(type, at), width, values + r * width);
    pack_panel(DType::F32, reinterpret_cast<const std::byte*>(values), width * sizeof(float), n, width,
               panel + at * kPanelRows * sizeof(float));
  }
}

}  // namespace

std::size_t PanelRun::panels() const noexcept { return (source.rows + kPanelRows - 1) / kPanelRows; }

void PanelRun::pack(const Context& ctx, std::size_t begin, std::size_t end) const noexcept {
  const auto pack_panel = ctx.kernels().pack_panel;
  const std::size_t stride = row_bytes(source.type, cols);
  for (std::size_t p = begin; p < end; ++p) {
    const std::size_t row = p * kPanelRows, n = std::min(source.rows - row, kPanelRows);
    if (source.widen)
      widen_panel(source.type, source.data + row * stride, stride, n, cols, to + p * step);
    else
      pack_panel(source.type, source.data + row * stride, stride, n, cols, to + p * step);
  }
}

std::span<const std::byte> PanelRun::source_part(std::size_t begin, std::size_t end) const noexcept {
  const std::size_t stride = row_bytes(source.type, cols), first = begin * kPanelRows;
  return {source.data + first * stride, (std::min(end * kPanelRows, source.rows) - first) * stride};
}

bool PackedMatrix::can_pack(std::span<const Source> sources) noexcept {
  if (sources.empty()) return false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].type != sources[0].type || sources[i].widen != sources[0].widen) return false;
    if (sources[i].type == DType::I32) return false;
    // A source that does not end on a panel would put rows of two sources into one panel: only the last may.
    if (i + 1 < sources.size() && sources[i].rows % kPanelRows != 0) return false;
  }
  return true;
}

std::size_t PackedMatrix::packed_bytes(DType type, std::size_t rows, std::size_t cols) noexcept {
  return (rows + kPanelRows - 1) / kPanelRows * lq::panel_bytes(type, cols);
}

PackedMatrix PackedMatrix::place(std::span<const Source> sources, std::size_t cols, Order order, std::byte* memory,
                                 std::vector<PanelRun>& runs) {
  check_sources(sources, cols, order);
  PackedMatrix m;
  m.type_ = sources[0].packed();
  m.rows_ = total_rows(sources);
  m.cols_ = cols;
  m.panel_bytes_ = lq::panel_bytes(m.type_, cols);
  m.data_ = memory;
  for (const Source& s : sources) {
    const PanelRun run{s, cols, memory, m.panel_bytes_ * (order == Order::interleave ? 2 : 1)};
    runs.push_back(run);
    memory += order == Order::interleave ? m.panel_bytes_ : run.panels() * m.panel_bytes_;
  }
  return m;
}

PackedMatrix PackedMatrix::pack(const Context& ctx, std::span<const Source> sources, std::size_t cols, Order order) {
  check_sources(sources, cols, order);
  Storage memory = ctx.allocate(packed_bytes(sources[0].packed(), total_rows(sources), cols), true);
  std::vector<PanelRun> runs;
  PackedMatrix m = place(sources, cols, order, memory.data(), runs);
  m.storage_ = std::move(memory);
  for (const PanelRun& run : runs)
    ctx.pool().parallel_for(run.panels(),
                            [&](std::size_t begin, std::size_t end, unsigned) { run.pack(ctx, begin, end); });
  return m;
}

PackedMatrix PackedMatrix::panel_range(std::size_t begin, std::size_t end) const noexcept {
  PackedMatrix m;
  m.type_ = type_;
  m.rows_ = (end * kPanelRows < rows_ ? end * kPanelRows : rows_) - begin * kPanelRows;
  m.cols_ = cols_;
  m.panel_bytes_ = panel_bytes_;
  m.data_ = data() + begin * panel_bytes_;
  return m;
}

void PackedMatrix::row(const Context&, std::size_t r, float* dst) const noexcept {
  unpack_row(type_, data_ + r / kPanelRows * panel_bytes_, r % kPanelRows, cols_, dst);
}

}  // namespace lq
