// The packed weights of a decoder, and the plan by which they are made from a GGUF file. Private to lib/models.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "family.hpp"
#include "loquor/models/decoder.hpp"
#include "planner.hpp"

namespace lq {

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

struct LayerPlan {
  const GgufTensor *attn_norm = nullptr, *ffn_norm = nullptr;
  LinearPlan qkv, o, gate_up, down;
};

struct WeightPlan {
  DecoderSpec spec;
  const GgufTensor *embedding = nullptr, *head = nullptr, *final_norm = nullptr, *rope_factors = nullptr;
  double rope_divisor = 1;  // linear position scaling
  std::vector<LayerPlan> layers;
  PlanTotals totals;
};

// Checks every tensor's presence, shape and type. Throws Error{bad_file|unsupported}.
WeightPlan plan_weights(const GgufFile& file, Compute compute);

// Packs everything. `beside`, if there is one, runs on one of the threads meanwhile; what it throws ends the load.
// Throws Error{out_of_memory|cancelled|bad_file}.
Weights load_weights(const Context& ctx, const GgufFile& file, const WeightPlan& plan, const LoadOptions& options,
                     const std::function<void()>& beside, std::uint64_t* fingerprint);

}  // namespace lq
