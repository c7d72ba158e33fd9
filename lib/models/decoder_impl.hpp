// Shared by decoder.cpp and pass.cpp only.
#pragma once

#include "loquor/models/decoder.hpp"
#include "weights.hpp"

namespace lq {

struct Decoder::Impl {
  std::shared_ptr<const Context> ctx;
  DecoderSpec spec;
  Compute compute = Compute::quantized;
  Weights weights;
  std::uint64_t fingerprint = 0;
};

}  // namespace lq
