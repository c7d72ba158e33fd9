#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"
#include "loquor/prompt/prompt.hpp"

namespace lq {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void wrong(const std::string& name, const char* expected) {
  fail(Code::invalid_argument, "prompt: '", name, "' is not ", expected);
}

std::string text(const Json& j, const std::string& name) {
  if (!j.is_string()) wrong(name, "a text");
  return j.get<std::string>();
}

std::size_t number(const Json& j, const std::string& name) {
  if (!j.is_number_unsigned()) wrong(name, "a number from 0");
  return j.get<std::size_t>();
}

std::vector<PromptExample> examples(const Json& list) {
  if (!list.is_array()) wrong("examples", "a list");
  std::vector<PromptExample> out;
  for (const Json& e : list) {
    if (!e.is_object() || !e.contains("input") || !e.contains("output"))
      wrong("examples", "of objects with input and output");
    out.push_back({text(e["input"], "input"), text(e["output"], "output"),
                   e.contains("reasoning") ? text(e["reasoning"], "reasoning") : ""});
  }
  return out;
}

ExampleChoice choice(const Json& j) {
  const std::string name = text(j, "choice");
  if (name == "first") return ExampleChoice::first;
  if (name == "random") return ExampleChoice::random;
  if (name == "nearest") return ExampleChoice::nearest;
  wrong("choice", "first, random or nearest");
}

void set(PromptOptions& o, const std::string& name, const Json& v) {
  if (name == "role")
    o.role = text(v, name);
  else if (name == "instructions")
    o.instructions = text(v, name);
  else if (name == "examples")
    o.examples = examples(v);
  else if (name == "shots")
    o.shots = number(v, name);
  else if (name == "choice")
    o.choice = choice(v);
  else if (name == "reasoning_tokens")
    o.reasoning_tokens = number(v, name);
  else if (name == "votes")
    o.votes = number(v, name);
  else if (name == "seed")
    o.seed = number(v, name);
  else if (name == "max_tokens")
    o.max_tokens = number(v, name);
  else if (name == "budget")
    o.budget = number(v, name);
  else if (name == "regex")
    o.form.regex = text(v, name);
  else if (name == "gbnf")
    o.form.gbnf = text(v, name);
  else if (name == "json_schema")
    o.form.json_schema = v.is_string() ? v.get<std::string>() : v.dump();
  else if (name == "temperature") {
    if (!v.is_number()) wrong(name, "a number");
    o.temperature = v.get<double>();
  } else if (name == "raw") {
    if (!v.is_boolean()) wrong(name, "true or false");
    o.raw = v.get<bool>();
  } else if (name == "choices") {
    if (!v.is_array()) wrong(name, "a list");
    for (const Json& c : v) o.form.choices.push_back(text(c, name));
  } else {
    fail(Code::invalid_argument, "prompt: unknown member '", name, "'");
  }
}

}  // namespace

PromptOptions prompt_options(std::string_view json) {
  const Json j = Json::parse(json, nullptr, false);
  LQ_CHECK(j.is_object(), Code::invalid_argument, "prompt: the options are no JSON object");
  PromptOptions o;
  for (const auto& [name, value] : j.items()) set(o, name, value);
  return o;
}

std::string to_json(const PromptAnswer& a) {
  Json out = {{"text", a.text}, {"reasoning", a.reasoning}, {"share", a.share}};
  out["votes"] = Json::array();
  for (const auto& v : a.votes) out["votes"].push_back({{"text", v.text}, {"count", v.count}});
  out["shown"] = a.shown;
  out["dropped"] = a.dropped;
  out["prompt_tokens"] = a.prompt_tokens;
  out["generated_tokens"] = a.generated_tokens;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lq
