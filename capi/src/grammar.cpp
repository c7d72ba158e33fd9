#include "grammar.hpp"

#include "args.hpp"
#include "lq_grammar.h"

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_grammar_from_gbnf(lq_grammar** out, const char* text, size_t length, const char* root) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const std::string first = root ? name_arg(call, root, "root") : "root";
    *out = new_handle<GrammarObject, lq_grammar>(Grammar::from_gbnf(text_arg(call, text, length, "text"), first));
  });
}

lq_status lq_grammar_from_json_schema(lq_grammar** out, const char* schema, size_t length,
                                      const lq_schema_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const lq_schema_options o = options_arg<lq_schema_options>(call, options, LQ_SCHEMA_OPTIONS_INIT);
    LQ_CHECK(o.reserved == 0, Code::invalid_argument, call.function(), ": reserved is not 0");
    const SchemaOptions how{o.compact != 0, o.closed != 0};
    *out =
        new_handle<GrammarObject, lq_grammar>(Grammar::from_json_schema(text_arg(call, schema, length, "schema"), how));
  });
}

lq_status lq_grammar_from_regex(lq_grammar** out, const char* pattern, size_t length) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    *out = new_handle<GrammarObject, lq_grammar>(Grammar::from_regex(text_arg(call, pattern, length, "pattern")));
  });
}

lq_status lq_grammar_from_choices(lq_grammar** out, const char* const* choices, size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    constexpr std::size_t kMost = 100'000;
    std::vector<std::string> texts;
    for (const char* choice : array_arg(call, choices, count, "choices", kMost))
      texts.push_back(name_arg(call, choice, "choices[i]"));
    *out = new_handle<GrammarObject, lq_grammar>(Grammar::from_choices(texts));
  });
}

void lq_grammar_free(lq_grammar* grammar) noexcept { free_handle(grammar, Kind::grammar); }

lq_status lq_grammar_accepts(int32_t* out, const lq_grammar* grammar, const char* text, size_t length) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    const GrammarObject& g = call.on<GrammarObject>(grammar, "grammar");
    *out = g.grammar->accepts(text_arg(call, text, length, "text")) ? 1 : 0;
  });
}

lq_status lq_grammar_error(char* out, size_t capacity, size_t* length, const lq_grammar* grammar) noexcept {
  return object_error(__func__, out, capacity, length, grammar, Kind::grammar);
}

}  // extern "C"
