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
  NormWeights attn_norm, ffn_norm, attn_post_norm, ffn_post_norm;  // empty where the family has none
  const float *q_norm = nullptr, *k_norm = nullptr;
  Linear qkv, o, gate_up, down;  // without a gate, gate_up is up alone
  // Of mixtures: which experts see a row, and theirs instead of the last two.
  PackedMatrix router;  // (n_expert, C)
  std::vector<Linear> expert_gate_up, expert_down;
};

struct RopeTable {
  std::vector<double> inverse;  // rope_dim/2 frequencies, radians per position
  float scale = 1;              // of the sines and cosines
};

struct Weights {
  PackedMatrix embedding;  // (V, C)
  PackedMatrix head;       // (V, C); empty when tied
  NormWeights final_norm;
  const float* positions = nullptr;  // (n_ctx_train, C), learned
  RopeTable ropes[2], long_rope;     // of LayerSpec::rope; of longrope for contexts over RopeSpec::original
  std::vector<LayerWeights> layers;
  Storage floats, packed;  // what the pointers and matrices above point into

  const PackedMatrix& head_matrix() const noexcept { return head.rows() ? head : embedding; }
};

struct LayerPlan {
  NormPlan attn_norm, ffn_norm, attn_post_norm, ffn_post_norm;
  const GgufTensor *q_norm = nullptr, *k_norm = nullptr, *router = nullptr;
  LinearPlan qkv, o, gate_up, down;
  std::vector<LinearPlan> expert_gate_up, expert_down;
};

struct WeightPlan {
  DecoderSpec spec;
  const GgufTensor *embedding = nullptr, *head = nullptr, *positions = nullptr;
  const GgufTensor *rope_factors = nullptr, *short_factors = nullptr, *long_factors = nullptr;
  NormPlan final_norm;
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
