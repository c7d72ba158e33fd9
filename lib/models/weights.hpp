// The packed weights of a decoder, and the plan by which they are made from a GGUF file. Private to lib/models.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "family.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/models/decoder.hpp"

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

struct LayerWeights {
  const float* attn_norm = nullptr;  // (C)
  const float* ffn_norm = nullptr;   // (C)
  Linear qkv, o, gate_up, down;
};

struct Weights {
  PackedMatrix embedding;  // (V, C)
  PackedMatrix head;       // (V, C); empty when tied
  const float* final_norm = nullptr;
  std::vector<double> rope_inverse;  // rope_dim/2 rotary frequencies, radians per position
  std::vector<LayerWeights> layers;
  Storage floats, packed;  // what the pointers and matrices above point into

  const PackedMatrix& head_matrix() const noexcept { return head.rows() ? head : embedding; }
};

// Checked references into the file: no weight is read to make a plan, and nothing large is allocated.
struct LinearPlan {
  std::vector<const GgufTensor*> sources, biases;  // biases: one per source, nullptr where absent
  std::size_t cols = 0, rows = 0;
  bool fused = true, interleaved = false;
};

struct LayerPlan {
  const GgufTensor *attn_norm = nullptr, *ffn_norm = nullptr;
  LinearPlan qkv, o, gate_up, down;
};

struct WeightPlan {
  DecoderSpec spec;
  const GgufTensor *embedding = nullptr, *head = nullptr, *final_norm = nullptr, *rope_factors = nullptr;
  double rope_divisor = 1;  // linear position scaling
  std::vector<LayerPlan> layers;
  std::size_t float_count = 0;  // floats of norms and biases, each vector rounded up to a cache line
  std::size_t packed_bytes = 0;
  Compute compute = Compute::quantized;

  std::size_t nbytes() const noexcept { return packed_bytes + float_count * sizeof(float); }
};

// Checks every tensor's presence, shape and type. Throws Error{bad_file|unsupported}.
WeightPlan plan_weights(const GgufFile& file, Compute compute);

// A matrix of the file, as `compute` wants it packed: in reference mode types whose panels would round become F32.
PackedMatrix::Source source_of(const GgufTensor& t, Compute compute) noexcept;

// Bytes that a matrix takes in the block of packed weights.
std::size_t packed_size(DType type, std::size_t rows, std::size_t cols) noexcept;

// Packs everything. `beside`, if there is one, runs on one of the threads meanwhile; what it throws ends the load.
// Throws Error{out_of_memory|cancelled|bad_file}.
Weights load_weights(const Context& ctx, const GgufFile& file, const WeightPlan& plan, const LoadOptions& options,
                     const std::function<void()>& beside, std::uint64_t* fingerprint);

}  // namespace lq
