// Models as the C interface holds them.
#pragma once

#include "base.hpp"
#include "loquor/generate/model.hpp"

namespace lq::capi {

struct ModelObject final : Object {
  static constexpr Kind kKind = Kind::model;
  explicit ModelObject(std::shared_ptr<const Model> m) : Object(kKind), model(std::move(m)) {}
  const std::shared_ptr<const Tokenizer>& tokenizer() const noexcept { return model->tokenizer(); }
  std::shared_ptr<const Model> model;
};

// "f16", "q8_0", "f32"; `name` NULL or "" means f16. Throws Error{invalid_argument}.
DType kv_type_arg(const Call& call, const char* name);

}  // namespace lq::capi
