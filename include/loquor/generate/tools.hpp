// Tool calling: tools as JSON Schemas (in the shape of OpenAI's chat API), calls as the text that most models which
// know tools were trained on (Hermes, Qwen):
//
//     <tool_call>
//     {"name": "...", "arguments": {...}}
//     </tool_call>
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loquor/generate/chat_template.hpp"
#include "loquor/grammar/grammar.hpp"

namespace lq {

// What an answer may be: `choice` "auto" is either text or calls, "required" calls, any other word a call of the tool
// of that name; `parallel`: up to eight calls, else one. Arguments satisfy the tool's schema ("parameters"). Throws
// Error{invalid_argument} for what is not a list of tools, a name twice or an unknown one; and what
// Grammar::from_json_schema throws.
std::shared_ptr<const Grammar> tool_grammar(std::string_view tools_json, std::string_view choice, bool parallel);

// The calls in an answer, as JSON: {"content": text before them or null, "tool_calls": [{"name", "arguments": {...}}]}.
// If there is no whole call, all is content; what follows the last whole one (an answer that was cut short) is left
// out.
std::string tool_calls_of(std::string_view text);

// For templates that know nothing of tools: the same conversation with the tools in the system message, calls as text
// and their results as the user's messages.
class ToolMessages {
 public:
  // Is there anything about tools in it?
  static bool needed(std::span<const ChatMessage> messages, std::string_view tools_json);
  ToolMessages(std::span<const ChatMessage> messages, std::string_view tools_json);  // Error{invalid_argument}
  std::span<const ChatMessage> messages() const noexcept { return messages_; }

 private:
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<ChatMessage> messages_;
};

}  // namespace lq
