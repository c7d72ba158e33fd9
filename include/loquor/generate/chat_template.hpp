// Chat templates: a sandboxed interpreter of the subset of Jinja that published models use. No attribute access to host
// objects, no include or import, no files, network, environment or clock of its own. Immutable once compiled;
// shareable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/text/tokenizer.hpp"

namespace lq {

struct ChatMessage {
  std::string_view role;
  std::string_view content;
  std::string_view extra_json = {};  // "" or a JSON object of further members ("tool_calls", "name", ...)
};

struct ChatLimits {
  std::uint64_t steps = 5'000'000;
  std::size_t memory = std::size_t{64} << 20;  // bytes of live values
  std::size_t output = std::size_t{16} << 20;  // bytes of text
};

struct ChatInput {
  std::span<const ChatMessage> messages;
  bool add_generation_prompt = true;
  std::string_view tools_json = {};  // "" or a JSON array
  std::string_view extra_json = {};  // "" or a JSON object: further variables
  std::string_view bos_token = {}, eos_token = {};
  ChatLimits limits;
  std::int64_t now = -1;  // seconds since 1970 for strftime_now; -1 = the clock
};

struct RenderedChat {
  std::string text;
  std::vector<TextRange> untrusted;  // what came from messages, tools and extra variables: sorted, disjoint
};

class ChatTemplate {
 public:
  // Throws Error{template_error} with the line, Error{limit} for nesting over 256 or sources over 1 MiB.
  static std::shared_ptr<const ChatTemplate> compile(std::string_view source);
  ~ChatTemplate();

  // Throws Error{template_error} (also for raise_exception), Error{limit}, Error{invalid_argument} for JSON that does
  // not parse, with the offset.
  RenderedChat render(const ChatInput& input) const;
  const std::string& source() const noexcept;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace lq
