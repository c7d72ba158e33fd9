#include "loquor/generate/chat_template.hpp"

#include <algorithm>
#include <ctime>

#include "template/interpreter.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxSource = std::size_t{1} << 20;

using jinja::Budget;
using jinja::Value;

using Items = std::vector<std::pair<Value, Value>>;

// Templates disagree on the name of a message's reasoning: as transformers does, what one name holds is there under the
// standard one, and under gpt-oss's.
void alias_reasoning(const std::shared_ptr<Budget>& b, Items& items) {
  const auto find = [&](std::string_view name) {
    return std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.first.str().text == name; });
  };
  for (std::string_view name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = find(name);
    if (found == items.end() || found->second.kind == jinja::Kind::none) continue;
    const Value reasoning = found->second;
    if (find("thinking") == items.end()) items.insert(items.begin(), {jinja::make_string(b, "thinking"), reasoning});
    const auto standard = find("reasoning_content");
    if (standard == items.end())
      items.emplace_back(jinja::make_string(b, "reasoning_content"), reasoning);
    else
      standard->second = reasoning;
    return;
  }
}

Value message_value(const std::shared_ptr<Budget>& b, const ChatMessage& m) {
  Items items;
  bool has_content = false;
  if (!m.extra_json.empty()) {
    const Value extra = jinja::parse_json(b, m.extra_json, "message");
    LQ_CHECK(extra.is_dict(), Code::invalid_argument, "message: its further members are not a JSON object");
    for (const auto& [k, v] : extra.dict().items) {
      if (k.str().text == "role") continue;
      has_content = has_content || k.str().text == "content";
      items.emplace_back(k, v);
    }
  }
  items.insert(items.begin(), {jinja::make_string(b, "role"), jinja::make_string(b, std::string(m.role), true)});
  // Content given as JSON (a list of parts, or null) stands for the plain one.
  if (!has_content)
    items.insert(items.begin() + 1,
                 {jinja::make_string(b, "content"), jinja::make_string(b, std::string(m.content), true)});
  alias_reasoning(b, items);
  return jinja::make_dict(b, std::move(items));
}

}  // namespace

struct ChatTemplate::Impl {
  std::string source;
  jinja::NodePtr root;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;
const std::string& ChatTemplate::source() const noexcept { return impl_->source; }

std::shared_ptr<const ChatTemplate> ChatTemplate::compile(std::string_view source) {
  LQ_CHECK(source.size() <= kMaxSource, Code::limit, "template: ", source.size(), " bytes, at most ", kMaxSource);
  auto impl = std::make_unique<Impl>();
  impl->source = std::string(source);
  impl->root = jinja::parse_template(source);
  return std::shared_ptr<const ChatTemplate>(new ChatTemplate(std::move(impl)));
}

// The variables transformers' apply_chat_template gives (utils/chat_template_utils.py, render_jinja_template):
// messages, tools and documents (None if absent), add_generation_prompt, and the special tokens.
RenderedChat ChatTemplate::render(const ChatInput& input) const {
  auto budget = std::make_shared<Budget>(input.limits.steps, input.limits.memory, input.limits.output);
  const std::int64_t now = input.now >= 0 ? input.now : static_cast<std::int64_t>(std::time(nullptr));
  Value extra;  // the interpreter refers to its keys
  jinja::Interpreter in(budget, now);
  std::vector<Value> messages;
  for (const ChatMessage& m : input.messages) messages.push_back(message_value(budget, m));
  // Further variables first: look-ups find them before those below.
  if (!input.extra_json.empty()) {
    extra = jinja::parse_json(budget, input.extra_json, "extra variables");
    LQ_CHECK(extra.is_dict(), Code::invalid_argument, "extra variables: are not a JSON object");
    for (const auto& [k, v] : extra.dict().items) in.define(k.str().text, v);
  }
  in.define("messages", jinja::make_list(budget, std::move(messages)));
  in.define("tools", input.tools_json.empty() ? Value::none() : jinja::parse_json(budget, input.tools_json, "tools"));
  in.define("documents", Value::none());
  in.define("add_generation_prompt", Value::boolean(input.add_generation_prompt));
  in.define("bos_token", jinja::make_string(budget, std::string(input.bos_token)));
  in.define("eos_token", jinja::make_string(budget, std::string(input.eos_token)));
  jinja::TextBuilder out(budget);
  in.run(*impl_->root, out);
  auto [text, marks] = out.release();
  return {std::move(text), std::move(marks)};
}

}  // namespace lq
