#include "loquor/models/adapter.hpp"

#include "lq_adapter.h"
#include "session.hpp"

namespace lq::capi {
namespace {

struct AdapterObject final : Object {
  static constexpr Kind kKind = Kind::adapter;
  explicit AdapterObject(std::shared_ptr<const Adapter> a) : Object(kKind), adapter(std::move(a)) {}
  std::shared_ptr<const Adapter> adapter;
};

}  // namespace
}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_adapter_load(lq_adapter** out, lq_model* model, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const ModelObject& m = call.on<ModelObject>(model, "model");
    *out = new_handle<AdapterObject, lq_adapter>(Adapter::load(m.model->decoder(), name_arg(call, path, "path")));
  });
}

void lq_adapter_free(lq_adapter* adapter) noexcept { free_handle(adapter, Kind::adapter); }

lq_status lq_adapter_targets(size_t* out, const lq_adapter* adapter) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<AdapterObject>(adapter, "adapter").adapter->targets();
  });
}

lq_status lq_session_set_adapters(lq_session* session, lq_adapter* const* adapters, const float* scales,
                                  size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    constexpr std::size_t kMost = 64;
    std::vector<AdapterUse> uses;
    for (const auto& handle : array_arg(call, adapters, count, "adapters", kMost)) {
      const Use<AdapterObject> use(call, handle, "an adapter");
      uses.push_back({use->adapter, scales ? scales[uses.size()] : 1.0f});
    }
    s.session.set_adapters(std::move(uses));
  });
}

lq_status lq_adapter_error(char* out, size_t capacity, size_t* length, const lq_adapter* adapter) noexcept {
  return object_error(__func__, out, capacity, length, adapter, Kind::adapter);
}

}  // extern "C"
