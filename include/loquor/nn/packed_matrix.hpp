// Weight matrices in the panels of quant/panel.hpp. Thread contract: immutable once packed; shareable.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "loquor/core/context.hpp"
#include "loquor/core/dtype.hpp"
#include "loquor/core/storage.hpp"

namespace lq {

struct PanelRun;

// A weight matrix W (N, K) packed in 16-row panels for y = x W^T.
class PackedMatrix {
 public:
  // Rows of K columns in GGUF row layout.
  struct Source {
    DType type;
    const std::byte* data;
    std::size_t rows;
    bool widen = false;  // packed as F32: for reference mode, where panels would round scales
    DType packed() const noexcept { return widen ? DType::F32 : type; }
  };
  enum class Order {
    concatenate,
    interleave
  };  // interleave: two sources of equal rows, 16-row panels alternate (gate, up)

  PackedMatrix() noexcept = default;
  // All sources must have one type (can_pack tells). Throws Error{out_of_memory|unsupported}. Packs on all threads,
  // into memory of its own.
  static PackedMatrix pack(const Context& ctx, std::span<const Source> sources, std::size_t cols,
                           Order order = Order::concatenate);
  // The same in the caller's memory: packed_bytes() bytes, aligned to kAlignment, which outlive the matrix. Nothing is
  // packed yet: one run for each source is appended to `runs`, and the matrix holds what they say once all are done.
  static PackedMatrix place(std::span<const Source> sources, std::size_t cols, Order order, std::byte* memory,
                            std::vector<PanelRun>& runs);
  static bool can_pack(std::span<const Source> sources) noexcept;
  static std::size_t packed_bytes(DType type, std::size_t rows, std::size_t cols) noexcept;

  DType dtype() const noexcept { return type_; }
  std::size_t rows() const noexcept { return rows_; }
  std::size_t cols() const noexcept { return cols_; }
  std::size_t panels() const noexcept { return (rows_ + 15) / 16; }
  std::size_t panel_bytes() const noexcept { return panel_bytes_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t nbytes() const noexcept { return panels() * panel_bytes_; }
  // Panels [begin, end), as the pool's idle threads want to know them.
  Upcoming upcoming(std::size_t begin, std::size_t end) const noexcept {
    return {data() + begin * panel_bytes_, panel_bytes_, end - begin};
  }
  // The rows of panels [begin, end) as a matrix, which borrows this one's bytes.
  PackedMatrix panel_range(std::size_t begin, std::size_t end) const noexcept;
  // Row r widened to fp32: the embedding look-up of tied weights. dst (K).
  void row(const Context& ctx, std::size_t r, float* dst) const noexcept;

 private:
  DType type_ = DType::F32;
  std::size_t rows_ = 0, cols_ = 0, panel_bytes_ = 0;
  const std::byte* data_ = nullptr;
  Storage storage_;  // empty if the memory is the caller's
};

// The way of one source's rows into a packed matrix.
struct PanelRun {
  PackedMatrix::Source source;
  std::size_t cols;
  std::byte* to;     // the first panel
  std::size_t step;  // bytes from one panel of this source to the next

  std::size_t panels() const noexcept;
  std::size_t source_bytes() const noexcept { return source.rows * row_bytes(source.type, cols); }
  // Packs the source's panels [begin, end). Different panels may be packed at the same time.
  void pack(const Context& ctx, std::size_t begin, std::size_t end) const noexcept;
  // The bytes of the source that pack(begin, end) reads.
  std::span<const std::byte> source_part(std::size_t begin, std::size_t end) const noexcept;
};

}  // namespace lq
