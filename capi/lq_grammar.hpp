// Part of loquor.hpp: grammars.
#ifndef LOQUOR_LQ_GRAMMAR_HPP
#define LOQUOR_LQ_GRAMMAR_HPP

#include "lq_base.hpp"
#include "lq_grammar.h"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_grammar* raw) noexcept {
  lq_grammar_free(raw);
}
}  // namespace detail

struct SchemaOptions {
  bool compact = false, closed = false;
};

// A set of texts; see lq_grammar.h. Immutable: one serves any number of sessions and threads.
class Grammar {
 public:
  static Grammar gbnf(std::string_view text, const char* root = nullptr) {
    Grammar g;
    detail::check(lq_grammar_from_gbnf(g.raw_.out(), text.data(), text.size(), root));
    return g;
  }
  static Grammar json_schema(std::string_view schema, const SchemaOptions& options = {}) {
    Grammar g;
    lq_schema_options o = LQ_SCHEMA_OPTIONS_INIT;
    o.compact = options.compact;
    o.closed = options.closed;
    detail::check(lq_grammar_from_json_schema(g.raw_.out(), schema.data(), schema.size(), &o));
    return g;
  }
  static Grammar regex(std::string_view pattern) {
    Grammar g;
    detail::check(lq_grammar_from_regex(g.raw_.out(), pattern.data(), pattern.size()));
    return g;
  }
  static Grammar choices(const std::vector<std::string>& texts) {
    Grammar g;
    std::vector<const char*> pointers;
    for (const std::string& text : texts) pointers.push_back(text.c_str());
    detail::check(lq_grammar_from_choices(g.raw_.out(), pointers.data(), pointers.size()));
    return g;
  }
  // What an answer may be when there are these tools; see lq_grammar_from_tools.
  static Grammar tools(std::string_view tools_json, const char* choice = "auto", bool parallel = false) {
    Grammar g;
    detail::check(lq_grammar_from_tools(g.raw_.out(), tools_json.data(), tools_json.size(), choice, parallel));
    return g;
  }
  bool accepts(std::string_view text) const {
    std::int32_t yes = 0;
    detail::check(lq_grammar_accepts(&yes, raw_.get(), text.data(), text.size()));
    return yes != 0;
  }
  lq_grammar* get() const noexcept { return raw_.get(); }

 private:
  Grammar() = default;
  detail::Owner<lq_grammar> raw_;
};

// The calls in an answer, as JSON; see lq_tool_calls_json.
inline std::string tool_calls_json(std::string_view text) {
  return detail::read_text([&](char* out, std::size_t capacity, std::size_t* length) {
    return lq_tool_calls_json(out, capacity, length, text.data(), text.size());
  });
}

}  // namespace loquor
#endif
