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

// Writes `target`: the model `source` with the adapters in these folders or files added to its weights, times their
// scales. `type` "": each tensor keeps its own.
inline lq_quantize_result merge_adapters(const std::string& source,
                                         const std::vector<std::pair<std::string, float>>& adapters,
                                         const std::string& target, const std::string& type = {},
                                         const QuantizeOptions& options = {}, const Context& context = Context()) {
  std::vector<const char*> paths;
  std::vector<float> scales;
  for (const auto& [path, scale] : adapters) {
    paths.push_back(path.c_str());
    scales.push_back(scale);
  }
  const lq_quantize_options o = detail::to_c(options);
  lq_quantize_result result = LQ_QUANTIZE_RESULT_INIT;
  detail::check(lq_merge_adapters(&result, context.get(), source.c_str(), target.c_str(), type.c_str(), paths.data(),
                                  scales.data(), paths.size(), &o));
  return result;
}

}  // namespace loquor
#endif
