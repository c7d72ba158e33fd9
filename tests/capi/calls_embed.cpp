#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

std::vector<CallRow> embed_calls() {
  return {
      {"lq_embedder_create", Takes::handle, Kind::model,
       [](Handles& f, void* h) {
         lq_embedder* e = nullptr;
         // The table's model is a language model: an encoder's handle stands for it where it is valid.
         const lq_status status = lq_embedder_create(&e, h == f.model ? f.encoder : as<lq_model>(h), nullptr);
         return freed(status, e, lq_embedder_free);
       }},
      {"lq_embedder_dimension", Takes::handle, Kind::embedder,
       [](Handles&, void* h) {
         uint32_t n = 0;
         return lq_embedder_dimension(&n, as<lq_embedder>(h));
       }},
      {"lq_embedder_max_tokens", Takes::handle, Kind::embedder,
       [](Handles&, void* h) {
         uint32_t n = 0;
         return lq_embedder_max_tokens(&n, as<lq_embedder>(h));
       }},
      {"lq_embedder_embed", Takes::handle, Kind::embedder,
       [](Handles&, void* h) {
         const char* const texts[] = {"hello", "the inner"};
         float out[128];
         return lq_embedder_embed(out, 128, nullptr, as<lq_embedder>(h), texts, nullptr, 2, nullptr);
       }},
      {"lq_embedder_error", Takes::handle, Kind::embedder,
       [](Handles&, void* h) { return lq_embedder_error(nullptr, 0, nullptr, as<lq_embedder>(h)); }},
  };
}

}  // namespace lq_test
