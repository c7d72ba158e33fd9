// Shared by encoder.cpp and encoder_pass.cpp only.
#pragma once

#include "loquor/models/encoder.hpp"
#include "planner.hpp"

namespace lq {

struct EncoderLayer {
  Linear qkv, o, up, down;
  NormWeights attn_norm, ffn_norm;
};

struct Encoder::Impl {
  std::shared_ptr<const Context> ctx;
  EncoderSpec spec;
  Compute compute = Compute::quantized;  // of activations: reference also where all weights are plain
  PackedMatrix embedding;                // (V, C)
  const float *types = nullptr, *positions = nullptr;
  NormWeights embedding_norm;
  std::vector<EncoderLayer> layers;
  std::uint64_t fingerprint = 0;
  Storage floats, packed;  // what the pointers and matrices above point into
};

}  // namespace lq
