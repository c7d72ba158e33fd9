#include "loquor/nn/parameters.hpp"

#include <cstring>

#include "loquor/core/config.hpp"

namespace lq::nn {

Parameter& Parameters::add(std::string name, Shape shape, bool trainable) {
  LQ_CHECK(!find(name), Code::invalid_argument, "parameters: '", name, "' exists already");
  const std::size_t count = shape.count(), bytes = align_up(count * sizeof(float));
  storage_.push_back(ctx_->allocate((trainable ? 2 : 1) * bytes, true));
  std::byte* data = storage_.back().data();
  std::memset(data, 0, storage_.back().size());
  auto p = std::make_unique<Parameter>();
  p->name = std::move(name);
  p->shape = shape;
  p->count = count;
  p->value = reinterpret_cast<float*>(data);
  p->grad = trainable ? reinterpret_cast<float*>(data + bytes) : nullptr;
  return *all_.emplace_back(std::move(p));
}

Parameter* Parameters::find(std::string_view name) const noexcept {
  for (const auto& p : all_)
    if (p->name == name) return p.get();
  return nullptr;
}

std::size_t Parameters::count() const noexcept {
  std::size_t n = 0;
  for (const auto& p : all_) n += p->count;
  return n;
}

void Parameters::zero_grad() noexcept {
  for (const auto& p : all_)
    if (p->grad) std::memset(p->grad, 0, p->count * sizeof(float));
}

}  // namespace lq::nn
