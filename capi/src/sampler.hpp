// Samplers as the C interface holds them.
#pragma once

#include "base.hpp"
#include "loquor/generate/sampler.hpp"

namespace lq::capi {

struct SamplerObject final : Object {
  static constexpr Kind kKind = Kind::sampler;
  SamplerObject() : Object(kKind) {}
  explicit SamplerObject(const Sampler& s) : Object(kKind), sampler(s) {}
  Sampler sampler;
};

}  // namespace lq::capi
