// Sessions with adapters.
#include <algorithm>
#include <cmath>

#include "session_impl.hpp"

namespace lq {

void Session::set_adapters(std::vector<AdapterUse> adapters) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  for (const AdapterUse& use : adapters) {
    LQ_CHECK(use.adapter && use.adapter->model() == s.model->decoder(), Code::invalid_argument,
             "session: an adapter belongs to another model");
    LQ_CHECK(std::isfinite(use.scale), Code::invalid_argument, "session: an adapter's scale is not finite");
  }
  const auto same = [](const AdapterUse& a, const AdapterUse& b) {
    return a.adapter == b.adapter && a.scale == b.scale;
  };
  if (std::equal(adapters.begin(), adapters.end(), s.adapters.begin(), s.adapters.end(), same)) return;
  s.generation.reset();
  s.abandon();
  s.logits = {};
  if (s.kv.length() > 0) s.kv.truncate(0);
  s.adapters = std::move(adapters);
}

}  // namespace lq
