// Grammars through the C interface and the C++ layer, over the tiny model.
#include <catch2/catch.hpp>
#include <cstring>

#include "arguments.hpp"
#include "calls.hpp"
#include "loquor.hpp"

using namespace lq_test;

namespace {

template <class Make>
lq_status made(const Make& make) {
  lq_grammar* g = nullptr;
  return freed(make(&g), g, lq_grammar_free);
}

const BadRow kWrong[] = {
    {"gbnf out NULL", kInvalid,
     [](Handles&) { return lq_grammar_from_gbnf(nullptr, "root ::= \"a\"", LQ_NTS, nullptr); }},
    {"gbnf text NULL", kInvalid,
     [](Handles&) { return made([](auto g) { return lq_grammar_from_gbnf(g, nullptr, 3, nullptr); }); }},
    {"gbnf malformed", kInvalid,
     [](Handles&) { return made([](auto g) { return lq_grammar_from_gbnf(g, "root ::= (", LQ_NTS, nullptr); }); }},
    {"gbnf without the root", kInvalid,
     [](Handles&) { return made([](auto g) { return lq_grammar_from_gbnf(g, "root ::= \"a\"", LQ_NTS, "other"); }); }},
    {"schema malformed", kInvalid,
     [](Handles&) { return made([](auto g) { return lq_grammar_from_json_schema(g, "{", LQ_NTS, nullptr); }); }},
    {"schema not supported", LQ_ERR_UNSUPPORTED,
     [](Handles&) {
       return made([](auto g) { return lq_grammar_from_json_schema(g, "{\"contains\":{}}", LQ_NTS, nullptr); });
     }},
    {"schema options of no size", kInvalid,
     [](Handles&) {
       const lq_schema_options o = {0, 0, 0, 0};
       return made([&](auto g) { return lq_grammar_from_json_schema(g, "true", LQ_NTS, &o); });
     }},
    {"schema options reserved", kInvalid,
     [](Handles&) {
       lq_schema_options o = LQ_SCHEMA_OPTIONS_INIT;
       o.reserved = 1;
       return made([&](auto g) { return lq_grammar_from_json_schema(g, "true", LQ_NTS, &o); });
     }},
    {"regex look-ahead", LQ_ERR_UNSUPPORTED,
     [](Handles&) { return made([](auto g) { return lq_grammar_from_regex(g, "a(?=b)", LQ_NTS); }); }},
    {"regex too large", LQ_ERR_LIMIT,
     [](Handles&) { return made([](auto g) { return lq_grammar_from_regex(g, "(a{1000}){1000}", LQ_NTS); }); }},
    {"no choices", kInvalid,
     [](Handles&) { return made([](auto g) { return lq_grammar_from_choices(g, nullptr, 0); }); }},
    {"a choice NULL", kInvalid,
     [](Handles&) {
       const char* const choices[] = {"a", nullptr};
       return made([&](auto g) { return lq_grammar_from_choices(g, choices, 2); });
     }},
    {"a choice empty", kInvalid,
     [](Handles&) {
       const char* const choices[] = {"a", ""};
       return made([&](auto g) { return lq_grammar_from_choices(g, choices, 2); });
     }},
    {"accepts out NULL", kInvalid, [](Handles& h) { return lq_grammar_accepts(nullptr, h.grammar, "a", 1); }},
    {"accepts text NULL", kInvalid,
     [](Handles& h) {
       int32_t yes;
       return lq_grammar_accepts(&yes, h.grammar, nullptr, 1);
     }},
    {"generate with another kind of handle", kInvalid,
     [](Handles& h) {
       lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
       o.grammar = reinterpret_cast<const lq_grammar*>(h.sampler);
       return lq_session_generate(nullptr, h.session, "a", 1, &o, nullptr, nullptr);
     }},
    {"generate with a freed grammar", kInvalid,
     [](Handles& h) {
       lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
       lq_grammar* gone = nullptr;
       REQUIRE(lq_grammar_from_regex(&gone, "a", LQ_NTS) == LQ_OK);
       lq_grammar_free(gone);
       o.grammar = gone;
       return lq_session_generate(nullptr, h.session, "a", 1, &o, nullptr, nullptr);
     }},
};

}  // namespace

TEST_CASE("wrong arguments to grammars are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("a grammar holds generated text to it and outlives its handle", "[capi]") {
  Handles h;
  lq_grammar* g = nullptr;
  const char* const choices[] = {"north", "south", "southwest"};
  REQUIRE(lq_grammar_from_choices(&g, choices, 3) == LQ_OK);
  int32_t yes = -1;
  REQUIRE(lq_grammar_accepts(&yes, g, "south", LQ_NTS) == LQ_OK);
  CHECK(yes == 1);
  REQUIRE(lq_grammar_accepts(&yes, g, "sout", LQ_NTS) == LQ_OK);
  CHECK(yes == 0);
  lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
  o.grammar = g;
  REQUIRE(lq_session_start(h.session, "hello", LQ_NTS, &o) == LQ_OK);
  lq_grammar_free(g);
  lq_event e = LQ_EVENT_INIT;
  do REQUIRE(lq_session_step(&e, h.session, LQ_BUDGET_NONE) == LQ_OK);
  while (e.kind != LQ_EVENT_DONE);
  CHECK(e.finish == LQ_FINISH_END);
  const char* text = nullptr;
  REQUIRE(lq_session_output(&text, nullptr, h.session) == LQ_OK);
  const auto said = [&](const char* c) { return std::strcmp(c, text) == 0; };
  CHECK((said("north") || said("south") || said("southwest")));
}

TEST_CASE("a program built before grammars generates as before", "[capi]") {
  Handles h;
  lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
  o.struct_size = offsetof(lq_generate_options, grammar);
  o.max_tokens = 3;
  o.grammar = reinterpret_cast<const lq_grammar*>(h.path.c_str());  // not of that version's structure
  CHECK(lq_session_generate(nullptr, h.session, "hello", LQ_NTS, &o, nullptr, nullptr) == LQ_OK);
}

TEST_CASE("the C++ layer has grammars", "[capi]") {
  Handles h;
  loquor::Model model(h.path);
  loquor::Session session(model);
  const auto schema =
      loquor::Grammar::json_schema(R"({"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]})",
                                   {.compact = true, .closed = true});
  loquor::GenerateOptions o;
  o.grammar = &schema;
  session.generate("hello", o);
  CHECK((session.output() == "{\"ok\":true}" || session.output() == "{\"ok\":false}"));
  CHECK(loquor::Grammar::gbnf("root ::= \"a\" x\nx ::= \"b\"").accepts("ab"));
  CHECK(loquor::Grammar::regex("a|b").accepts("b"));
  CHECK_FALSE(loquor::Grammar::choices({"a", "b"}).accepts("c"));
  CHECK_THROWS_AS(loquor::Grammar::regex("("), loquor::Error);
}
