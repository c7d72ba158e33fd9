// Operators over a decoder's packed weights, which do not change: forwards as in inference, backwards for the inputs
// and for LoRA's matrices only. Private to lib/models.
#pragma once

#include <memory>
#include <vector>

#include "../weights.hpp"
#include "loquor/nn/graph.hpp"

namespace lq {

// One matrix pair of LoRA inside a fused product.
struct LoraPart {
  const nn::Parameter *a, *b;  // (rank, in), (out, rank)
  std::size_t column;          // of the first output
  bool interleaved;            // outputs lie in runs of 16, 32 apart
  std::size_t at(std::size_t row) const noexcept {
    return interleaved ? row / 16 * 32 + column + row % 16 : column + row;
  }
};

// A fused product with what its gradients need. `transposed` (in, out) is empty if they are to be exact.
struct FrozenLinear {
  const Linear* linear = nullptr;
  std::size_t in = 0, out = 0;
  PackedMatrix transposed;
  std::vector<LoraPart> parts;
};

// W^T as Q8_0 panels, for dx = dy W: rows of `weights` side by side. Columns are padded with zeros to whole blocks.
PackedMatrix transpose(const Context& ctx, std::span<const PackedMatrix> weights, std::size_t in);
constexpr std::size_t whole_blocks(std::size_t n) noexcept { return (n + 31) / 32 * 32; }

// x W^T + bias + scale * sum of B (A xd); xd is x or x after dropout. `act` is scratch that all operators of a graph
// share.
nn::Value frozen_linear(nn::Graph& g, nn::Value x, nn::Value xd, const FrozenLinear& w, float scale,
                        std::shared_ptr<Activations> act);
// Rows of the table times `scale`: ids (B, T) -> (B, T, C).
nn::Value frozen_embedding(nn::Graph& g, nn::Value ids, const PackedMatrix& table, float scale);
// The ids and the positions of x (B, 2, T), each (B, T).
struct IdsAndPositions {
  nn::Value ids, positions;
};
IdsAndPositions split_input(nn::Graph& g, nn::Value x);
// qkv (B, T, heads * head_dim ...) with the first `heads` heads turned by the angles of their positions.
struct RopeShape {
  std::size_t heads, head_dim, rope_dim;
  RopeStyle style;
};
nn::Value rope_at(nn::Graph& g, nn::Value qkv, nn::Value positions, const RopeTable& table, const RopeShape& shape);
// silu(gate) * up of (B, T, 2 F): gate and up in turns of 16 columns if `interleaved`, else side by side.
nn::Value swiglu(nn::Graph& g, nn::Value gate_up, bool interleaved);
// The mean cross-entropy of x head^T over the rows whose id is not below 0; it must be the graph's loss. `transposed`
// (C, V) may be empty: exact gradients.
nn::Value frozen_cross_entropy(nn::Graph& g, nn::Value x, const PackedMatrix& head, const PackedMatrix& transposed,
                               nn::Value ids, Compute compute);

}  // namespace lq
