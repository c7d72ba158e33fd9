#include "loquor/generate/tools.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"

namespace {

const char* const kTools = R"([{"type":"function","function":{"name":"weather","description":"The weather of a city.",
  "parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"$ref":"#/$defs/n"}},"required":["city"],
  "additionalProperties":false,"$defs":{"n":{"type":"integer","minimum":1,"maximum":7}}}}},
  {"type":"function","function":{"name":"say \"hi\""}}])";

std::string call(const char* name, const char* arguments) {
  return std::string("<tool_call>\n{\"name\": ") + name + ", \"arguments\": " + arguments + "}\n</tool_call>";
}

lq::Code code_of(const char* tools, const char* choice = "auto") {
  try {
    lq::tool_grammar(tools, choice, false);
  } catch (const lq::Error& e) {
    return e.code();
  }
  return lq::Code::ok;
}

}  // namespace

TEST_CASE("a grammar of tools allows calls with arguments of their schemas", "[generate][grammar]") {
  const auto required = lq::tool_grammar(kTools, "required", false);
  CHECK(required->accepts(call("\"weather\"", R"({"city": "Oslo", "days": 3})")));
  CHECK(required->accepts(call("\"say \\\"hi\\\"\"", "{}")));
  CHECK_FALSE(required->accepts(call("\"weather\"", R"({"days": 3})")));
  CHECK_FALSE(required->accepts(call("\"weather\"", R"({"city": "Oslo", "days": 8})")));
  CHECK_FALSE(required->accepts(call("\"other\"", "{}")));
  CHECK_FALSE(required->accepts("Hello"));
  const std::string two = call("\"weather\"", R"({"city":"a"})") + "\n" + call("\"weather\"", R"({"city":"b"})");
  CHECK_FALSE(required->accepts(two));
  CHECK(lq::tool_grammar(kTools, "required", true)->accepts(two));
  const auto automatic = lq::tool_grammar(kTools, "auto", false);
  CHECK(automatic->accepts("It is sunny, 3 < 5."));
  CHECK(automatic->accepts(""));
  CHECK(automatic->accepts("<b>"));
  CHECK(automatic->accepts(call("\"weather\"", R"({"city": "Oslo"})")));
  CHECK_FALSE(automatic->accepts(call("\"weather\"", "{}")));
  const auto named = lq::tool_grammar(kTools, "weather", true);
  CHECK(named->accepts(call("\"weather\"", R"({"city": "Oslo"})")));
  CHECK_FALSE(named->accepts(call("\"say \\\"hi\\\"\"", "{}")));
}

TEST_CASE("lists of tools that are none are refused", "[generate][grammar]") {
  CHECK(code_of("[]") == lq::Code::invalid_argument);
  CHECK(code_of("{}") == lq::Code::invalid_argument);
  CHECK(code_of("[1]") == lq::Code::invalid_argument);
  CHECK(code_of("[{\"function\":{}}]") == lq::Code::invalid_argument);
  CHECK(code_of("[{\"name\":\"a\"},{\"name\":\"a\"}]") == lq::Code::invalid_argument);
  CHECK(code_of(kTools, "missing") == lq::Code::invalid_argument);
  CHECK(code_of(R"([{"type":"retrieval","function":{"name":"a"}}])") == lq::Code::unsupported);
  CHECK(code_of(R"([{"name":"a","parameters":{"uniqueItems":true}}])") == lq::Code::unsupported);
  CHECK(code_of((std::string(200, '[') + std::string(200, ']')).c_str()) == lq::Code::limit);
}

TEST_CASE("calls are found in answers", "[generate][grammar]") {
  const auto read = [](const std::string& text) { return nlohmann::json::parse(lq::tool_calls_of(text)); };
  const auto one = read("Let me look.\n" + call("\"weather\"", R"({"city": "Oslo"})"));
  CHECK(one["content"] == "Let me look.");
  CHECK(one["tool_calls"].size() == 1);
  CHECK(one["tool_calls"][0]["name"] == "weather");
  CHECK(one["tool_calls"][0]["arguments"]["city"] == "Oslo");
  const auto two = read(call("\"a\"", "{}") + "\n" + call("\"b\"", "{\"x\":1}"));
  CHECK(two["content"].is_null());
  CHECK(two["tool_calls"][1]["arguments"]["x"] == 1);
  CHECK(read(call("\"a\"", "{}") + "\n<tool_call>\n{\"na")["tool_calls"].size() == 1);
  CHECK(read("plain")["content"] == "plain");
  CHECK(read("plain")["tool_calls"].empty());
  CHECK(read("")["content"] == "");
  CHECK(read("<tool_call>\n{\"name\": ")["content"] == "<tool_call>\n{\"name\": ");
  CHECK(read("<tool_call>[]</tool_call>")["tool_calls"].empty());
}

TEST_CASE("templates without tools get them described", "[generate][grammar]") {
  const std::vector<lq::ChatMessage> chat = {
      {"system", "Be brief."},
      {"user", "Oslo?"},
      {"assistant", "",
       R"({"content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]})"},
      {"tool", "sunny", R"({"tool_call_id":"1"})"}};
  const lq::ToolMessages adapted(chat, kTools);
  const auto m = adapted.messages();
  REQUIRE(m.size() == 4);
  CHECK(m[0].content.starts_with("Be brief.\n\nYou can call functions."));
  CHECK(m[0].content.find("The weather of a city.") != std::string_view::npos);
  CHECK(m[2].content == "<tool_call>\n{\"name\":\"weather\",\"arguments\":{\"city\":\"Oslo\"}}\n</tool_call>");
  CHECK(m[2].extra_json.empty());
  CHECK(m[3].role == "user");
  CHECK(m[3].content == "<tool_response>\nsunny\n</tool_response>");
  const std::vector<lq::ChatMessage> bare = {{"user", "Hi"}};
  CHECK(lq::ToolMessages(bare, kTools).messages()[0].role == "system");
  CHECK_FALSE(lq::ToolMessages::needed(bare, ""));
  CHECK(lq::ToolMessages::needed(chat, ""));
  const lq::ToolMessages later(chat, "");  // no tools any more: the calls and results stay
  CHECK(later.messages()[0].content == "Be brief.");
  CHECK(later.messages()[2].content == m[2].content);
  CHECK(later.messages()[3].role == "user");
  const std::vector<lq::ChatMessage> bad = {{"assistant", "", R"({"tool_calls":[{"function":[]}]})"}};
  CHECK_THROWS_AS(lq::ToolMessages(bad, kTools), lq::Error);
}
