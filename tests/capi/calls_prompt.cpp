#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

std::vector<CallRow> prompt_calls() {
  return {
      {"lq_prompt_create", Takes::no_handle, Kind::prompt,
       [](Handles&, void*) {
         lq_prompt* p = nullptr;
         return freed(lq_prompt_create(&p, "{\"role\": \"A poet.\"}", LQ_NTS, nullptr), p, lq_prompt_free);
       }},
      {"lq_prompt_ask", Takes::handle, Kind::prompt,
       [](Handles& f, void* h) {
         lq_report* r = nullptr;
         return freed(lq_prompt_ask(&r, as<lq_prompt>(h), f.session, "a?", LQ_NTS, nullptr), r, lq_report_free);
       }},
      {"lq_prompt_build", Takes::handle, Kind::prompt,
       [](Handles& f, void* h) {
         lq_report* r = nullptr;
         return freed(lq_prompt_build(&r, as<lq_prompt>(h), f.model, "a?", LQ_NTS, 0), r, lq_report_free);
       }},
      {"lq_prompt_error", Takes::handle, Kind::prompt,
       [](Handles&, void* h) { return lq_prompt_error(nullptr, 0, nullptr, as<lq_prompt>(h)); }},
  };
}

}  // namespace lq_test
