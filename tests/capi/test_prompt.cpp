// Prompts through the C interface and the C++ layer, over the tiny models.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "arguments.hpp"
#include "calls.hpp"
#include "loquor.hpp"

using namespace lq_test;

namespace {

lq_status made(const char* json) {
  lq_prompt* p = nullptr;
  return freed(lq_prompt_create(&p, json, LQ_NTS, nullptr), p, lq_prompt_free);
}

const BadRow kWrong[] = {
    {"out NULL", kInvalid, [](Handles&) { return lq_prompt_create(nullptr, "{}", LQ_NTS, nullptr); }},
    {"options NULL", kInvalid, [](Handles&) { return made(nullptr); }},
    {"options no JSON", kInvalid, [](Handles&) { return made("{"); }},
    {"an unknown member", kInvalid, [](Handles&) { return made("{\"rolle\": \"x\"}"); }},
    {"a member of another type", kInvalid, [](Handles&) { return made("{\"votes\": -1}"); }},
    {"an example without output", kInvalid, [](Handles&) { return made("{\"examples\": [{\"input\": \"x\"}]}"); }},
    {"two forms", kInvalid, [](Handles&) { return made("{\"regex\": \"a\", \"choices\": [\"a\"]}"); }},
    {"a schema that is not supported", LQ_ERR_UNSUPPORTED,
     [](Handles&) { return made("{\"json_schema\": {\"contains\": {}}}"); }},
    {"nearest without an encoder", kInvalid, [](Handles&) { return made("{\"choice\": \"nearest\"}"); }},
    {"no votes", kInvalid, [](Handles&) { return made("{\"votes\": 0}"); }},
    {"an encoder that is none", LQ_ERR_UNSUPPORTED,
     [](Handles& h) {
       lq_prompt* p = nullptr;
       return freed(lq_prompt_create(&p, "{}", LQ_NTS, h.model), p, lq_prompt_free);
     }},
    {"a question NULL", kInvalid,
     [](Handles& h) {
       lq_report* r = nullptr;
       return freed(lq_prompt_ask(&r, h.prompt, h.session, nullptr, 1, nullptr), r, lq_report_free);
     }},
    {"no room", LQ_ERR_CONTEXT_FULL,
     [](Handles& h) {
       lq_report* r = nullptr;
       return freed(lq_prompt_build(&r, h.prompt, h.model, "a?", LQ_NTS, 3), r, lq_report_free);
     }},
};

}  // namespace

TEST_CASE("wrong arguments to prompts are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("a prompt asks with the nearest examples", "[capi]") {
  Handles h;
  lq_prompt* p = nullptr;
  const char* options =
      "{\"choice\": \"nearest\", \"shots\": 1, \"examples\": [{\"input\": \"inner\", \"output\": \"1\"}, {\"input\": "
      "\"circle\", \"output\": \"2\"}]}";
  REQUIRE(lq_prompt_create(&p, options, LQ_NTS, h.encoder) == LQ_OK);
  for (const auto& [question, index] : {std::pair("inner", 0), std::pair("circle", 1)}) {
    lq_report* r = nullptr;
    REQUIRE(lq_prompt_build(&r, p, h.model, question, LQ_NTS, 0) == LQ_OK);
    const char* text = nullptr;
    REQUIRE(lq_report_json(&text, nullptr, r) == LQ_OK);
    CHECK(nlohmann::json::parse(text)["shown"] == nlohmann::json::array({index}));
    lq_report_free(r);
  }
  lq_prompt_free(p);
}

TEST_CASE("the C++ layer has prompts", "[capi]") {
  Handles h;
  const loquor::Model model(h.path);
  loquor::Session session(model);
  loquor::Prompt prompt(R"({"role": "A judge.", "choices": ["yes", "no"], "votes": 3, "max_tokens": 5})");
  const auto answer = nlohmann::json::parse(prompt.ask(session, "Is it?"));
  CHECK((answer["text"] == "yes" || answer["text"] == "no"));
  CHECK(nlohmann::json::parse(prompt.build(model, "Is it?"))["text"].get<std::string>().find("A judge.") !=
        std::string::npos);
  loquor::Cancel cancel;
  cancel.trigger();
  CHECK_THROWS_AS(prompt.ask(session, "Is it?", &cancel), loquor::Error);
}
