#include "grammar.hpp"
#include "loquor/generate/chat_template.hpp"
#include "loquor/generate/tools.hpp"
#include "session.hpp"

namespace lq::capi {

namespace {

constexpr std::size_t kMaxMessages = 1 << 16;

struct ChatTemplateObject final : Object {
  static constexpr Kind kKind = Kind::chat_template;
  explicit ChatTemplateObject(std::shared_ptr<const ChatTemplate> t) : Object(kKind), chat_template(std::move(t)) {}
  std::shared_ptr<const ChatTemplate> chat_template;
  std::string bos, eos;  // texts of the model's tokens
};

std::string token_text(const Tokenizer& tokenizer, std::optional<std::int32_t> id) {
  return id ? std::string(tokenizer.token_bytes(*id)) : std::string();
}

std::shared_ptr<const ChatTemplate> own_template(const Call& call, const Model& model) {
  LQ_CHECK(!model.chat_template().empty(), Code::not_found, call.function(),
           ": the model has no chat template (key tokenizer.chat_template)");
  return ChatTemplate::compile(model.chat_template());
}

// The elements of an array whose element size the caller's struct_size gives.
std::vector<ChatMessage> message_args(const Call& call, const lq_message* messages, std::size_t count) {
  LQ_CHECK(count <= kMaxMessages, Code::limit, call.function(), ": count is ", count, ", at most ", kMaxMessages,
           " messages are accepted");
  LQ_CHECK(messages && count, Code::invalid_argument, call.function(), ": there are no messages");
  const std::size_t stride = out_struct_size(call, messages, "messages[0]");
  std::vector<ChatMessage> list;
  list.reserve(count);
  const auto* at = reinterpret_cast<const unsigned char*>(messages);
  for (std::size_t i = 0; i < count; ++i, at += stride) {
    const auto m = options_arg<lq_message>(call, reinterpret_cast<const lq_message*>(at), LQ_MESSAGE_INIT);
    LQ_CHECK(m.struct_size == stride, Code::invalid_argument, call.function(), ": messages[", i,
             "]: struct_size differs from the first one's");
    LQ_CHECK(m.role, Code::invalid_argument, call.function(), ": messages[", i, "].role is NULL");
    ChatMessage out;
    out.role = text_arg(call, m.role, LQ_NTS, "messages[i].role");
    if (m.content) out.content = text_arg(call, m.content, m.content_length, "messages[i].content");
    if (m.extra_json) out.extra_json = text_arg(call, m.extra_json, m.extra_json_length, "messages[i].extra_json");
    list.push_back(out);
  }
  return list;
}

std::string_view json_arg(const Call& call, const char* text, std::size_t length, const char* name) {
  if (!text) return {};
  return text_arg(call, text, length ? length : LQ_NTS, name);
}

template <class T>
void lower(T& limit, std::uint64_t wanted) {
  if (wanted && wanted < limit) limit = static_cast<T>(wanted);
}

RenderedChat render(const Call& call, const ChatTemplate& chat_template, std::string_view bos, std::string_view eos,
                    const lq_message* messages, std::size_t count, const lq_chat_options* options) {
  const auto o = options_arg<lq_chat_options>(call, options, LQ_CHAT_OPTIONS_INIT);
  const std::vector<ChatMessage> list = message_args(call, messages, count);
  ChatInput input;
  input.messages = list;
  input.add_generation_prompt = o.no_generation_prompt == 0;
  input.tools_json = json_arg(call, o.tools_json, o.tools_json_length, "options.tools_json");
  input.extra_json = json_arg(call, o.extra_json, o.extra_json_length, "options.extra_json");
  input.bos_token = bos;
  input.eos_token = eos;
  lower(input.limits.steps, o.max_steps);
  lower(input.limits.memory, o.max_memory);
  lower(input.limits.output, o.max_output);
  std::optional<ToolMessages> adapted;
  if (ToolMessages::needed(list, input.tools_json) && chat_template.source().find("tool") == std::string::npos) {
    adapted.emplace(list, input.tools_json);
    input.messages = adapted->messages();
  }
  return chat_template.render(input);
}

// The template's own words may be control tokens, what came from outside may not.
std::vector<std::int32_t> tokenize(const Tokenizer& tokenizer, const RenderedChat& chat) {
  EncodeOptions encode;
  encode.parse_special = true;
  encode.untrusted = chat.untrusted;
  return tokenizer.encode(chat.text, encode);
}

}  // namespace

std::vector<std::int32_t> chat_prompt_tokens(const Call& call, const Model& model, const lq_message* messages,
                                             std::size_t count, const lq_chat_options* options) {
  const Tokenizer& tokenizer = *model.tokenizer();
  const auto own = own_template(call, model);
  const RenderedChat chat = render(call, *own, token_text(tokenizer, tokenizer.bos()),
                                   token_text(tokenizer, tokenizer.eos()), messages, count, options);
  std::vector<std::int32_t> ids = tokenize(tokenizer, chat);
  LQ_CHECK(!ids.empty(), Code::invalid_argument, call.function(), ": the messages render to an empty prompt");
  return ids;
}

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_chat_template_create(lq_chat_template** out, const lq_model* model, const char* source,
                                  size_t length) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    LQ_CHECK(model || source, Code::invalid_argument, call.function(), ": model and source are both NULL");
    const ModelObject* m = model ? &call.on<ModelObject>(model, "model") : nullptr;
    auto object = std::make_unique<ChatTemplateObject>(
        source ? ChatTemplate::compile(text_arg(call, source, length, "source")) : own_template(call, *m->model));
    if (m) {
      object->bos = token_text(*m->tokenizer(), m->tokenizer()->bos());
      object->eos = token_text(*m->tokenizer(), m->tokenizer()->eos());
    }
    *out = static_cast<lq_chat_template*>(make_handle(std::move(object)));
  });
}

void lq_chat_template_free(lq_chat_template* chat_template) noexcept {
  free_handle(chat_template, Kind::chat_template);
}

lq_status lq_chat_render(char* out, size_t capacity, size_t* length, const lq_chat_template* chat_template,
                         const lq_message* messages, size_t count, const lq_chat_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    const auto& t = call.on<ChatTemplateObject>(chat_template, "chat_template");
    const RenderedChat chat = render(call, *t.chat_template, t.bos, t.eos, messages, count, options);
    write_text(call, out, capacity, length, chat.text);
  });
}

lq_status lq_chat_tokenize(int32_t* out, size_t capacity, size_t* count, const lq_model* model,
                           const lq_chat_template* chat_template, const lq_message* messages, size_t n_messages,
                           const lq_chat_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    if (count) *count = 0;
    const ModelObject& m = call.on<ModelObject>(model, "model");
    const Use<ChatTemplateObject> t(call, chat_template, "chat_template");
    const RenderedChat chat = render(call, *t->chat_template, t->bos, t->eos, messages, n_messages, options);
    write_array<std::int32_t>(call, out, capacity, count, tokenize(*m.tokenizer(), chat));
  });
}

lq_status lq_grammar_from_tools(lq_grammar** out, const char* tools_json, size_t length, const char* choice,
                                int32_t parallel) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const std::string which = choice ? name_arg(call, choice, "choice") : "auto";
    *out = new_handle<GrammarObject, lq_grammar>(
        tool_grammar(text_arg(call, tools_json, length, "tools_json"), which, parallel != 0));
  });
}

lq_status lq_tool_calls_json(char* out, size_t capacity, size_t* length, const char* text,
                             size_t text_length) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    write_text(call, out, capacity, length, tool_calls_of(text_arg(call, text, text_length, "text")));
  });
}

}  // extern "C"
