#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

lq_document cat_document() {
  lq_document d = LQ_DOCUMENT_INIT;
  d.key = "cat";
  d.text = "The cat sleeps on the mat.";
  return d;
}

std::vector<CallRow> rag_calls() {
  return {
      {"lq_store_open", Takes::no_handle, Kind::store,
       [](Handles& f, void*) {
         lq_store* s = nullptr;
         return freed(lq_store_open(&s, (f.path + ".store2").c_str(), nullptr, nullptr), s, lq_store_free);
       }},
      {"lq_store_add", Takes::handle, Kind::store,
       [](Handles&, void* h) {
         const lq_document d = cat_document();
         return lq_store_add(nullptr, as<lq_store>(h), &d, 1, nullptr, nullptr, nullptr);
       }},
      {"lq_store_index", Takes::handle, Kind::store,
       [](Handles& f, void* h) {
         // The table's store has no vectors: told so where its handle is valid.
         const lq_status status = lq_store_index(as<lq_store>(h), nullptr, nullptr, nullptr);
         return h == f.store && status == LQ_ERR_UNSUPPORTED ? LQ_OK : status;
       }},
      {"lq_store_remove", Takes::handle, Kind::store,
       [](Handles&, void* h) { return lq_store_remove(nullptr, as<lq_store>(h), "dog"); }},
      {"lq_store_text", Takes::handle, Kind::store,
       [](Handles&, void* h) {
         char out[100];
         return lq_store_text(out, sizeof out, nullptr, as<lq_store>(h), "cat");
       }},
      {"lq_store_info", Takes::handle, Kind::store,
       [](Handles&, void* h) {
         lq_report* r = nullptr;
         return freed(lq_store_info(&r, as<lq_store>(h), 1), r, lq_report_free);
       }},
      {"lq_store_search", Takes::handle, Kind::store,
       [](Handles&, void* h) {
         lq_report* r = nullptr;
         return freed(lq_store_search(&r, as<lq_store>(h), "cats", LQ_NTS, nullptr), r, lq_report_free);
       }},
      {"lq_store_ask", Takes::handle, Kind::store,
       [](Handles& f, void* h) {
         lq_report* r = nullptr;
         lq_ask_options o = LQ_ASK_OPTIONS_INIT;
         o.max_tokens = 2;
         o.no_guards = 1;
         return freed(lq_store_ask(&r, as<lq_store>(h), f.session, "cats?", LQ_NTS, &o), r, lq_report_free);
       }},
      {"lq_store_error", Takes::handle, Kind::store,
       [](Handles&, void* h) { return lq_store_error(nullptr, 0, nullptr, as<lq_store>(h)); }},
  };
}

}  // namespace lq_test
