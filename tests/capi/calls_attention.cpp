#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

std::vector<CallRow> attention_calls() {
  return {
      {"lq_attention_scores", Takes::handle, Kind::model,
       [](Handles& f, void* h) {
         size_t count = 0;
         std::vector<float> out(1 << 14);
         return lq_attention_scores(out.data(), out.size(), &count, as<lq_model>(h), f.tokens.data(), f.tokens.size(),
                                    0, 0);
       }},
      {"lq_attention_shape", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         uint32_t layers = 0, heads = 0;
         return lq_attention_shape(&layers, &heads, as<lq_model>(h));
       }},
  };
}

}  // namespace lq_test
