// What clients send: every member is checked, and one that is not known is refused by name.
#include <array>
#include <cmath>
#include <random>
#include <set>

#include "openai.hpp"

namespace server {
namespace {

constexpr int kMaxNesting = 64;
constexpr std::size_t kMaxMessages = 4096, kMaxPrompts = 128;

[[noreturn]] void bad(const std::string& param, const std::string& message) { throw ApiError(400, message, param); }

// The members of an object: each is asked for by name, and what nobody asked for is refused.
class Members {
 public:
  explicit Members(const Json& object, std::string where = {}) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) bad(where_, (where_.empty() ? "the body" : "'" + where_ + "'") + " must be a JSON object");
  }
  // Null counts as absent.
  const Json* find(const std::string& name) {
    seen_.insert(name);
    const auto at = object_.find(name);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }
  const Json& need(const std::string& name) {
    if (const Json* j = find(name)) return *j;
    bad(path(name), "'" + path(name) + "' is missing");
  }
  double number(const std::string& name, double otherwise, double least, double most) {
    const Json* j = find(name);
    if (!j) return otherwise;
    const double value = j->is_number() ? j->get<double>() : NAN;
    if (!(value >= least && value <= most))
      bad(path(name), "'" + path(name) + "' must be a number from " + text(least) + " to " + text(most));
    return value;
  }
  std::int64_t integer(const std::string& name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    const Json* j = find(name);
    if (!j) return otherwise;
    const bool fits = j->is_number_integer() && !(j->is_number_unsigned() && j->get<std::uint64_t>() > INT64_MAX);
    if (!fits || j->get<std::int64_t>() < least || j->get<std::int64_t>() > most)
      bad(path(name),
          "'" + path(name) + "' must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return j->get<std::int64_t>();
  }
  bool flag(const std::string& name) {
    const Json* j = find(name);
    if (j && !j->is_boolean()) bad(path(name), "'" + path(name) + "' must be true or false");
    return j && j->get<bool>();
  }
  std::string string(const std::string& name) {
    const Json* j = find(name);
    if (j && !j->is_string()) bad(path(name), "'" + path(name) + "' must be a string");
    return j ? j->get<std::string>() : std::string();
  }
  void ignore(std::initializer_list<const char*> names) { seen_.insert(names.begin(), names.end()); }
  void done() const {
    for (const auto& [name, value] : object_.items())
      if (!seen_.count(name))
        throw ApiError(400, "there is no parameter '" + path(name) + "'", path(name), "unknown_parameter");
  }
  std::string path(const std::string& name) const { return where_.empty() ? name : where_ + "." + name; }

 private:
  static std::string text(double value) { return Json(value).dump(); }
  const Json& object_;
  std::string where_;
  std::set<std::string> seen_;
};

loquor::Tokens tokens(const Json& list, const std::string& where) {
  loquor::Tokens out;
  for (const Json& t : list) {
    if (!t.is_number_integer() || t.get<std::int64_t>() < 0 || t.get<std::int64_t>() > INT32_MAX)
      bad(where, "'" + where + "' holds something that is no token");
    out.push_back(t.get<std::int32_t>());
  }
  return out;
}

// A string, or a list of parts of which only text is understood.
std::string content(const Json* j, const std::string& where) {
  if (!j) return {};
  if (j->is_string()) return j->get<std::string>();
  if (!j->is_array()) bad(where, "'" + where + "' must be a string or a list of parts");
  std::string out;
  for (std::size_t i = 0; i < j->size(); ++i) {
    const std::string at = where + "[" + std::to_string(i) + "]";
    Members part((*j)[i], at);
    const std::string type = part.string("type");
    if (type != "text")
      throw ApiError(400, "'" + at + ".type' is '" + type + "'; this model reads text only", at + ".type");
    part.need("text");
    out += part.string("text");
    part.done();
  }
  return out;
}

// Templates want the arguments of a call as an object; the API has them as text.
Json tool_calls(const Json& calls, const std::string& where) {
  if (!calls.is_array()) bad(where, "'" + where + "' must be a list");
  Json out = calls;
  for (Json& call : out) {
    if (!call.is_object() || !call.contains("function") || !call["function"].is_object())
      bad(where, "a tool call has no 'function'");
    Json& arguments = call["function"]["arguments"];
    if (!arguments.is_string()) continue;
    const std::string text = arguments.get<std::string>();
    try {
      arguments = parse_json(text);
    } catch (const ApiError&) {
      bad(where, "the arguments of a tool call are no JSON");
    }
  }
  return out;
}

loquor::Message message(const Json& j, const std::string& where) {
  Members m(j, where);
  loquor::Message out;
  out.role = m.string("role");
  if (out.role == "developer") out.role = "system";
  if (out.role != "system" && out.role != "user" && out.role != "assistant" && out.role != "tool")
    bad(where + ".role", "'" + where + ".role' must be system, user, assistant or tool");
  out.content = content(m.find("content"), where + ".content");
  Json extra = Json::object();
  if (const Json* calls = m.find("tool_calls")) extra["tool_calls"] = tool_calls(*calls, where + ".tool_calls");
  for (const char* name : {"name", "tool_call_id"})
    if (const std::string text = m.string(name); !text.empty()) extra[name] = text;
  m.ignore({"refusal", "audio", "annotations", "function_call"});
  m.done();
  if (!extra.empty()) out.extra_json = extra.dump();
  return out;
}

// "none", "auto", "required", or a function's name.
std::string tool_choice(const Json* j) {
  if (!j) return "auto";
  if (j->is_object()) {
    Members m(*j, "tool_choice");
    m.ignore({"type"});
    Members f(m.need("function"), "tool_choice.function");
    f.need("name");
    return f.string("name");
  }
  if (!j->is_string() || (*j != "none" && *j != "auto" && *j != "required"))
    bad("tool_choice", "'tool_choice' must be none, auto, required or a function");
  return j->get<std::string>();
}

std::vector<std::string> stops(const Json* j) {
  std::vector<std::string> out;
  if (!j) return out;
  const Json list = j->is_array() ? *j : Json::array({*j});
  for (const Json& s : list) {
    if (!s.is_string() || s.get_ref<const std::string&>().empty())
      bad("stop", "'stop' must be a text or a list of texts, none empty");
    out.push_back(s.get<std::string>());
  }
  if (out.size() > 16) bad("stop", "'stop' holds more than 16 texts");
  return out;
}

std::vector<std::pair<std::int32_t, float>> biases(const Json* j, std::uint32_t vocab) {
  std::vector<std::pair<std::int32_t, float>> out;
  if (!j) return out;
  if (!j->is_object()) bad("logit_bias", "'logit_bias' must be an object");
  for (const auto& [key, value] : j->items()) {
    char* end = nullptr;
    const long id = std::strtol(key.c_str(), &end, 10);
    if (key.empty() || *end || id < 0 || static_cast<std::uint32_t>(id) >= vocab || !value.is_number() ||
        !(std::abs(value.get<double>()) <= 100))
      bad("logit_bias", "'logit_bias' must map tokens to numbers from -100 to 100");
    out.emplace_back(static_cast<std::int32_t>(id), value.get<float>());
  }
  return out;
}

// The chain of OpenAI's parameters, and those that this server adds, in the order that sampling is usually done in.
std::function<loquor::Sampler(std::uint32_t)> sampler(Members& m, const loquor::Model& model) {
  struct Stage {
    const char* name;
    double value, neutral;
  };
  const std::array<Stage, 8> stages = {{
      {"repeat_penalty", m.number("repeat_penalty", 1, 0.01, 100), 1},
      {"frequency_penalty", m.number("frequency_penalty", 0, -2, 2), 0},
      {"presence_penalty", m.number("presence_penalty", 0, -2, 2), 0},
      {"top_k", static_cast<double>(m.integer("top_k", 0, 0, INT32_MAX)), 0},
      {"typical_p", m.number("typical_p", 1, 1e-6, 1), 1},
      {"top_p", std::max(m.number("top_p", 1, 0, 1), 1e-6), 1},
      {"min_p", m.number("min_p", 0, 0, 1), 0},
      {"temperature", m.number("temperature", 1, 0, 2), -1},
  }};
  const auto bias = biases(m.find("logit_bias"), model.vocab_size());
  std::int64_t seed = m.integer("seed", -1, INT64_MIN, INT64_MAX);
  if (!m.find("seed")) seed = static_cast<std::int64_t>(std::random_device{}()) << 20 ^ std::random_device{}();
  return [=](std::uint32_t choice) {
    loquor::Sampler s;
    for (const auto& [token, value] : bias) s.bias(token, value);
    for (const Stage& stage : stages)
      if (stage.value != stage.neutral) s.add(stage.name, stage.value);
    s.seed(static_cast<std::uint64_t>(seed) + choice);
    return s;
  };
}

void common(Members& m, Request& r, const Engine& engine, std::int64_t default_tokens) {
  const auto most = static_cast<std::int64_t>(engine.limits().max_tokens);
  const char* limit = m.find("max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
  const std::int64_t wanted = m.integer(limit, default_tokens, 1, INT32_MAX);
  r.work.options.max_tokens = static_cast<std::uint32_t>(wanted > 0 ? std::min(wanted, most) : most);
  r.work.options.stop = stops(m.find("stop"));
  r.work.choices = static_cast<std::uint32_t>(m.integer("n", 1, 1, 16));
  r.work.options.ignore_end = m.flag("ignore_eos");
  r.work.sampler = sampler(m, engine.model());
  r.model = m.string("model");
  r.stream = m.flag("stream");
  if (const Json* o = m.find("stream_options")) {
    Members options(*o, "stream_options");
    r.include_usage = options.flag("include_usage");
    options.ignore({"include_obfuscation"});
    options.done();
  }
  // Of no meaning here: who asks, what to store, how the provider bills.
  m.ignore({"user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "max_tokens",
            "max_completion_tokens"});
}

}  // namespace

Json parse_json(const std::string& text) {
  bool deep = false;
  Json out = Json::parse(
      text,
      [&](int depth, Json::parse_event_t, Json&) {
        deep |= depth > kMaxNesting;
        return depth <= kMaxNesting;
      },
      false);
  if (deep) throw ApiError(400, "the JSON is nested too deeply");
  if (out.is_discarded()) throw ApiError(400, "the body is no valid JSON");
  return out;
}

Request parse_chat(const Json& body, const Engine& engine) {
  Request r;
  Members m(body);
  const Json& list = m.need("messages");
  if (!list.is_array() || list.empty() || list.size() > kMaxMessages)
    bad("messages", "'messages' must be a list of 1 to " + std::to_string(kMaxMessages) + " messages");
  Conversation c;
  for (std::size_t i = 0; i < list.size(); ++i)
    c.messages.push_back(message(list[i], "messages[" + std::to_string(i) + "]"));
  common(m, r, engine, 0);
  r.logprobs = m.flag("logprobs");
  r.top_logprobs = static_cast<std::uint32_t>(m.integer("top_logprobs", 0, 0, 20));
  if (r.top_logprobs && !r.logprobs) bad("top_logprobs", "'top_logprobs' wants 'logprobs' to be true");
  r.work.options.logprobs = r.logprobs ? std::max(1u, r.top_logprobs) : 0;
  if (const Json* format = m.find("response_format")) r.work.grammar = grammar_of_format(*format);
  const bool parallel = !m.find("parallel_tool_calls") || m.flag("parallel_tool_calls");
  const Json* choice = m.find("tool_choice");
  if (const Json* tools = m.find("tools")) {
    const std::string which = tool_choice(choice);
    if (which != "none") {
      if (r.work.grammar) bad("tools", "'tools' and 'response_format' cannot both hold");
      r.work.grammar = grammar_of_tools(*tools, which, parallel);
      r.tools = true;
      c.options.tools_json = tools->dump();
    }
  } else if (choice && !(choice->is_string() && (*choice == "none" || *choice == "auto"))) {
    bad("tool_choice", "'tool_choice' without 'tools'");
  }
  m.ignore({"reasoning_effort", "verbosity", "modalities"});
  m.done();
  r.work.prompts.emplace_back(std::move(c));
  return r;
}

Request parse_completion(const Json& body, const Engine& engine) {
  Request r;
  r.chat = false;
  Members m(body);
  const Json& prompt = m.need("prompt");
  const bool echo = m.flag("echo");
  const auto add = [&](const Json& p) {
    if (p.is_string())
      r.work.prompts.emplace_back(p.get<std::string>());
    else if (p.is_array() && !p.empty())
      r.work.prompts.emplace_back(tokens(p, "prompt"));
    else
      bad("prompt", "'prompt' must be a text, a list of tokens, or a list of those");
    if (echo)
      r.echo.push_back(p.is_string() ? p.get<std::string>() : engine.model().detokenize(tokens(p, "prompt"), true));
  };
  if (prompt.is_array() && !prompt.empty() && !prompt[0].is_number())
    for (const Json& p : prompt) add(p);
  else
    add(prompt);
  if (r.work.prompts.size() > kMaxPrompts) bad("prompt", "more than " + std::to_string(kMaxPrompts) + " prompts");
  common(m, r, engine, 16);
  const std::int64_t logprobs = m.integer("logprobs", -1, 0, 20);
  r.logprobs = logprobs >= 0;
  r.top_logprobs = static_cast<std::uint32_t>(std::max<std::int64_t>(0, logprobs));
  if (r.logprobs && echo) bad("logprobs", "'logprobs' of an echoed prompt are not supported");
  r.work.options.logprobs = r.logprobs ? std::max(1u, r.top_logprobs) : 0;
  r.work.options.parse_special = true;
  if (m.integer("best_of", r.work.choices, 1, 16) != r.work.choices) bad("best_of", "'best_of' must be equal to 'n'");
  if (!m.string("suffix").empty()) bad("suffix", "'suffix' is not supported");
  m.done();
  return r;
}

EmbeddingRequest parse_embeddings(const Json& body, const loquor::Model& model) {
  EmbeddingRequest r;
  Members m(body);
  const Json& input = m.need("input");
  const auto add = [&](const Json& p) {
    if (p.is_string())
      r.texts.push_back(p.get<std::string>());
    else if (p.is_array() && !p.empty())
      r.texts.push_back(model.detokenize(tokens(p, "input")));
    else
      bad("input", "'input' must be a text, a list of tokens, or a list of those");
  };
  if (input.is_array() && !input.empty() && !input[0].is_number())
    for (const Json& p : input) add(p);
  else
    add(input);
  if (r.texts.size() > 2048) bad("input", "more than 2048 texts");
  const std::string format = m.string("encoding_format");
  if (!format.empty() && format != "float" && format != "base64")
    bad("encoding_format", "'encoding_format' must be float or base64");
  r.base64 = format == "base64";
  if (m.find("dimensions")) r.dimensions = static_cast<std::uint32_t>(m.integer("dimensions", 0, 1, 1 << 20));
  m.ignore({"model", "user"});
  m.done();
  return r;
}

}  // namespace server
