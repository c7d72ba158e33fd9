// Shared by decoder.cpp, pass.cpp and training/ only.
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

// For what trains on a decoder's weights.
struct DecoderAccess {
  static const Weights& weights(const Decoder& d) noexcept { return d.impl_->weights; }
};

}  // namespace lq
