// Part of loquor.hpp: LoRA adapters.
#ifndef LOQUOR_LQ_ADAPTER_HPP
#define LOQUOR_LQ_ADAPTER_HPP

#include "lq_adapter.h"
#include "lq_generate.hpp"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_adapter* raw) noexcept {
  lq_adapter_free(raw);
}
}  // namespace detail

// From a GGUF file or a folder of PEFT's. Sessions keep it alive.
class Adapter {
 public:
  Adapter(const Model& model, const std::string& path) {
    detail::check(lq_adapter_load(raw_.out(), model.get(), path.c_str()));
  }
  std::size_t targets() const {
    std::size_t n = 0;
    detail::check(lq_adapter_targets(&n, raw_.get()));
    return n;
  }
  lq_adapter* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_adapter> raw_;
};

inline void Session::set_adapters(const std::vector<std::pair<const Adapter*, float>>& adapters) {
  std::vector<lq_adapter*> handles;
  std::vector<float> scales;
  for (const auto& [adapter, scale] : adapters) {
    handles.push_back(adapter->get());
    scales.push_back(scale);
  }
  detail::check(lq_session_set_adapters(raw_.get(), handles.data(), scales.data(), handles.size()));
}

}  // namespace loquor
#endif
