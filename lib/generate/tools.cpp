#include "loquor/generate/tools.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kOpen = "<tool_call>", kClose = "</tool_call>";
constexpr int kDepth = 128;
constexpr std::size_t kMostTools = 1000;

Json parse(std::string_view text, std::string_view what) {
  const auto depth = [&](int level, Json::parse_event_t, Json&) {
    LQ_CHECK(level <= kDepth, Code::limit, what, ": nested deeper than ", kDepth);
    return true;
  };
  try {
    return Json::parse(text, depth);
  } catch (const Json::exception& e) {
    fail(Code::invalid_argument, what, ": not valid JSON: ", e.what());
  }
}

struct Tool {
  std::string name, description;
  Json parameters;
};

std::string text_of(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::vector<Tool> read_tools(std::string_view tools_json) {
  const Json list = parse(tools_json, "tools");
  LQ_CHECK(list.is_array() && !list.empty(), Code::invalid_argument, "tools: a list of tools was expected");
  LQ_CHECK(list.size() <= kMostTools, Code::limit, "tools: ", list.size(), ", at most ", kMostTools);
  std::vector<Tool> out;
  for (const Json& entry : list) {
    const bool wrapped = entry.is_object() && entry.contains("function");
    const Json& f = wrapped ? entry["function"] : entry;
    LQ_CHECK(f.is_object(), Code::invalid_argument, "tools[", out.size(), "] is not a function");
    LQ_CHECK(!wrapped || !entry.contains("type") || entry["type"] == "function", Code::unsupported, "tools[",
             out.size(), "]: only tools of the type 'function' are supported");
    Tool tool{text_of(f, "name"), text_of(f, "description"), f.value("parameters", Json{{"type", "object"}})};
    LQ_CHECK(!tool.name.empty(), Code::invalid_argument, "tools[", out.size(), "] has no name");
    for (const Tool& other : out)
      LQ_CHECK(other.name != tool.name, Code::invalid_argument, "tools: '", tool.name, "' occurs twice");
    out.push_back(std::move(tool));
  }
  return out;
}

// A schema's references are to the tool's own document, so each call is a grammar term of its own: the name is fixed by
// text around it.
std::string call_rule(const Tool& tool) {
  std::string quoted;  // the name as JSON, as a literal of GBNF
  for (char c : Json(tool.name).dump()) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return "\"" + std::string(kOpen) + "\\n{\\\"name\\\": " + quoted + ", \\\"arguments\\\": \" %json" +
         (tool.parameters.is_object() ? tool.parameters.dump() : std::string(R"({"type":"object"})")) + " \"}\\n" +
         std::string(kClose) + "\"";
}

std::string call_text(const Json& call) {
  const Json& f = call.contains("function") ? call["function"] : call;
  Json arguments = f.value("arguments", Json::object());
  if (arguments.is_string()) {  // OpenAI's shape: JSON within JSON
    const Json inner = Json::parse(arguments.get<std::string>(), nullptr, false);
    if (!inner.is_discarded()) arguments = inner;
  }
  return str("\n", kOpen, "\n", Json{{"name", f.value("name", "")}, {"arguments", arguments}}.dump(), "\n", kClose);
}

// What the system message says of the tools.
std::string describe(std::string_view tools_json) {
  std::string about = "You can call functions. These are there, with JSON Schemas of their arguments:\n";
  for (const Tool& tool : read_tools(tools_json)) {
    Json line{{"name", tool.name}};
    if (!tool.description.empty()) line["description"] = tool.description;
    line["parameters"] = tool.parameters;
    about += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  about += str("To call one, answer with nothing but\n", kOpen, "\n{\"name\": NAME, \"arguments\": OBJECT}\n", kClose,
               "\nand you will be told the result. Otherwise answer in words.");
  return about;
}

}  // namespace

std::shared_ptr<const Grammar> tool_grammar(std::string_view tools_json, std::string_view choice, bool parallel) {
  std::string calls;
  bool known = choice == "auto" || choice == "required";
  for (const Tool& tool : read_tools(tools_json)) {
    if (choice != "auto" && choice != "required") {
      if (tool.name != choice) continue;
      known = true;
    }
    calls += (calls.empty() ? "" : " | ") + call_rule(tool);
  }
  LQ_CHECK(known, Code::invalid_argument, "tools: there is none named '", choice, "'");
  std::string text = "call ::= " + calls + "\ncalls ::= call" + (parallel ? " (\"\\n\" call){0,7}" : "") + "\n";
  text += choice == "auto" ? "root ::= calls | plain\nplain ::= | [^<] .* | \"<\" ([^t] .*)?\n" : "root ::= calls\n";
  return Grammar::from_gbnf(text);
}

std::string tool_calls_of(std::string_view text) {
  Json calls = Json::array();
  const std::size_t first = text.find(kOpen);
  std::string_view content = text.substr(0, first);
  for (std::size_t at = first; at != std::string_view::npos;) {
    const std::size_t begin = at + kOpen.size(), end = std::min(text.find(kClose, begin), text.size());
    const Json call = Json::parse(text.substr(begin, end - begin), nullptr, false);
    const bool good = !call.is_discarded() && call.is_object() && call.contains("name") && call["name"].is_string();
    if (!good) {
      if (calls.empty()) content = text;
      break;
    }
    calls.push_back({{"name", call["name"]}, {"arguments", call.value("arguments", Json::object())}});
    at = end == text.size() ? std::string_view::npos : text.find(kOpen, end);
  }
  while (!calls.empty() && !content.empty() && (content.back() == '\n' || content.back() == ' '))
    content.remove_suffix(1);
  Json out = {{"content", Json()}, {"tool_calls", std::move(calls)}};
  if (!content.empty() || out["tool_calls"].empty()) out["content"] = content;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool ToolMessages::needed(std::span<const ChatMessage> messages, std::string_view tools_json) {
  return !tools_json.empty() || std::any_of(messages.begin(), messages.end(), [](const ChatMessage& m) {
    return m.role == "tool" || m.extra_json.find("tool_calls") != std::string_view::npos;
  });
}

ToolMessages::ToolMessages(std::span<const ChatMessage> messages, std::string_view tools_json) {
  std::string about = tools_json.empty() ? std::string() : describe(tools_json);
  const auto keep = [this](std::string text) -> std::string_view {
    return *texts_.emplace_back(std::make_unique<std::string>(std::move(text)));
  };
  const bool has_system = !messages.empty() && messages[0].role == "system";
  if (!has_system && !about.empty()) messages_.push_back({"system", keep(about)});
  for (const ChatMessage& m : messages) {
    ChatMessage out = m;
    if (has_system && !about.empty() && &m == messages.data())
      out.content = keep(str(m.content, m.content.empty() ? "" : "\n\n", about));
    if (m.role == "tool") out = {"user", keep(str("<tool_response>\n", m.content, "\n</tool_response>"))};
    if (m.role == "assistant" && !m.extra_json.empty()) {
      const Json extra = parse(m.extra_json, "message");
      if (extra.is_object() && extra.contains("tool_calls") && extra["tool_calls"].is_array()) {
        std::string text(m.content);
        try {
          for (const Json& call : extra["tool_calls"]) text += call_text(call);
        } catch (const Json::exception&) {
          fail(Code::invalid_argument, "message: tool_calls are not calls of functions");
        }
        out = {m.role, keep(text.starts_with('\n') ? text.substr(1) : text)};
      }
    }
    messages_.push_back(out);
  }
}

}  // namespace lq
