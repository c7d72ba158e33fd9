#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

std::vector<CallRow> adapter_calls() {
  return {
      {"lq_adapter_load", Takes::handle, Kind::model,
       [](Handles& f, void* h) {
         lq_adapter* a = nullptr;
         return freed(lq_adapter_load(&a, as<lq_model>(h), (f.path + ".adapter").c_str()), a, lq_adapter_free);
       }},
      {"lq_adapter_targets", Takes::handle, Kind::adapter,
       [](Handles&, void* h) {
         size_t n = 0;
         return lq_adapter_targets(&n, as<lq_adapter>(h));
       }},
      {"lq_session_set_adapters", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         const float scale = 0.5f;
         return lq_session_set_adapters(as<lq_session>(h), &f.adapter, &scale, 1);
       }},
      {"lq_merge_adapters", Takes::handle, Kind::context,
       [](Handles& f, void* h) {
         const std::string adapter = f.path + ".adapter", target = f.path + ".quantized";
         const char* path = adapter.c_str();
         return lq_merge_adapters(nullptr, as<lq_context>(h), f.path.c_str(), target.c_str(), nullptr, &path, nullptr, 1,
                                  nullptr);
       }},
      {"lq_adapter_error", Takes::handle, Kind::adapter,
       [](Handles&, void* h) { return lq_adapter_error(nullptr, 0, nullptr, as<lq_adapter>(h)); }},
  };
}

}  // namespace lq_test
