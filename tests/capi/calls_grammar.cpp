#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

std::vector<CallRow> grammar_calls() {
  return {
      {"lq_grammar_from_gbnf", Takes::no_handle, Kind::grammar,
       [](Handles&, void*) {
         lq_grammar* g = nullptr;
         return freed(lq_grammar_from_gbnf(&g, "root ::= \"a\"", LQ_NTS, nullptr), g, lq_grammar_free);
       }},
      {"lq_grammar_from_json_schema", Takes::no_handle, Kind::grammar,
       [](Handles&, void*) {
         lq_grammar* g = nullptr;
         return freed(lq_grammar_from_json_schema(&g, "{\"type\":\"null\"}", LQ_NTS, nullptr), g, lq_grammar_free);
       }},
      {"lq_grammar_from_regex", Takes::no_handle, Kind::grammar,
       [](Handles&, void*) {
         lq_grammar* g = nullptr;
         return freed(lq_grammar_from_regex(&g, "a+", LQ_NTS), g, lq_grammar_free);
       }},
      {"lq_grammar_from_choices", Takes::no_handle, Kind::grammar,
       [](Handles&, void*) {
         lq_grammar* g = nullptr;
         const char* const choices[] = {"yes", "no"};
         return freed(lq_grammar_from_choices(&g, choices, 2), g, lq_grammar_free);
       }},
      {"lq_grammar_from_tools", Takes::no_handle, Kind::grammar,
       [](Handles&, void*) {
         lq_grammar* g = nullptr;
         return freed(lq_grammar_from_tools(&g, "[{\"name\":\"f\"}]", LQ_NTS, nullptr, 0), g, lq_grammar_free);
       }},
      {"lq_tool_calls_json", Takes::no_handle, Kind::grammar,
       [](Handles&, void*) {
         char out[100];
         return lq_tool_calls_json(out, sizeof out, nullptr, "hello", LQ_NTS);
       }},
      {"lq_grammar_accepts", Takes::handle, Kind::grammar,
       [](Handles&, void* h) {
         int32_t yes = 0;
         return lq_grammar_accepts(&yes, as<lq_grammar>(h), "abc", 3);
       }},
      {"lq_grammar_error", Takes::handle, Kind::grammar,
       [](Handles&, void* h) { return lq_grammar_error(nullptr, 0, nullptr, as<lq_grammar>(h)); }},
  };
}

}  // namespace lq_test
