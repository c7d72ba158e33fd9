// Part of loquor.hpp: models, tokens and text, chat templates, the catalogue.
#ifndef LOQUOR_LQ_MODEL_HPP
#define LOQUOR_LQ_MODEL_HPP

#include <optional>

#include "lq_base.hpp"
#include "lq_text.h"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_model* raw) noexcept {
  lq_model_free(raw);
}
template <>
inline void free_handle(lq_stream* raw) noexcept {
  lq_stream_free(raw);
}
template <>
inline void free_handle(lq_chat_template* raw) noexcept {
  lq_chat_template_free(raw);
}
}  // namespace detail

using Tokens = std::vector<std::int32_t>;

struct ModelOptions {
  lq_compute compute = LQ_COMPUTE_QUANTIZED;
  bool vocab_only = false;
  bool private_copy = false;
  std::uint64_t memory_cap = 0;
  std::function<bool(float)> progress;  // fraction; false cancels
  const Cancel* cancel = nullptr;
};

struct Message {
  std::string role;
  std::string content;
  std::string extra_json = {};  // "" or a JSON object
};

struct ChatOptions {
  bool generation_prompt = true;
  std::string tools_json = {};
  std::string extra_json = {};
};

namespace detail {

// An lq_progress_fn whose user pointer is a std::function<bool(float)>.
inline int progress_thunk(float fraction, void* user) noexcept {
  const auto& fn = *static_cast<const std::function<bool(float)>*>(user);
  return shield([&] { return fn(fraction); });
}

// The C form of messages and options; borrows from them.
struct ChatArgs {
  std::vector<lq_message> messages;
  lq_chat_options options = LQ_CHAT_OPTIONS_INIT;
  ChatArgs(const std::vector<Message>& list, const ChatOptions& o) {
    messages.reserve(list.size());
    for (const Message& m : list) {
      lq_message raw = LQ_MESSAGE_INIT;
      raw.role = m.role.c_str();
      raw.content = m.content.data();
      raw.content_length = m.content.size();
      raw.extra_json = m.extra_json.empty() ? nullptr : m.extra_json.data();
      raw.extra_json_length = m.extra_json.size();
      messages.push_back(raw);
    }
    options.no_generation_prompt = !o.generation_prompt;
    options.tools_json = o.tools_json.empty() ? nullptr : o.tools_json.data();
    options.tools_json_length = o.tools_json.size();
    options.extra_json = o.extra_json.empty() ? nullptr : o.extra_json.data();
    options.extra_json_length = o.extra_json.size();
  }
};

}  // namespace detail

// Immutable; copies share one model.
class Model {
 public:
  // A short name ("smollm2") or a path.
  explicit Model(const std::string& source, const ModelOptions& options = {}, const Context& context = Context())
      : context_(context) {
    load(options, [&](lq_model** out, const lq_model_options* o) {
      return lq_model_load(out, context_.get(), source.c_str(), o);
    });
  }
  // From a GGUF file in memory, which must outlive the model.
  Model(const void* data, std::size_t size, const ModelOptions& options = {}, const Context& context = Context())
      : context_(context) {
    load(options, [&](lq_model** out, const lq_model_options* o) {
      return lq_model_load_memory(out, context_.get(), data, size, o);
    });
  }

  lq_model_info info(std::uint32_t n_ctx = 0, const char* kv_type = nullptr) const {
    lq_model_info info = LQ_MODEL_INFO_INIT;
    lq_inspect_options o = LQ_INSPECT_OPTIONS_INIT;
    o.n_ctx = n_ctx;
    o.kv_type = kv_type;
    detail::check(lq_model_get_info(&info, get(), &o));
    return info;
  }
  double load_ms() const {
    double ms = 0;
    detail::check(lq_model_load_ms(&ms, get()));
    return ms;
  }
  std::size_t metadata_count() const {
    std::size_t n = 0;
    detail::check(lq_model_metadata_count(&n, get()));
    return n;
  }
  std::string metadata_key(std::size_t index) const {
    return detail::read_text([&](auto... a) { return lq_model_metadata_key(a..., get(), index); });
  }
  std::string metadata(const std::string& key) const {
    return detail::read_text([&](auto... a) { return lq_model_metadata_value(a..., get(), key.c_str()); });
  }

  // special: add the begin token and parse control tokens in the text.
  Tokens tokenize(std::string_view text, bool add_special = false, bool parse_special = false) const {
    lq_tokenize_options o = LQ_TOKENIZE_OPTIONS_INIT;
    o.add_special = add_special;
    o.parse_special = parse_special;
    return detail::read_array<std::int32_t>(
        text.size() + 2, [&](auto... a) { return lq_tokenize(a..., get(), text.data(), text.size(), &o); });
  }
  std::string detokenize(const std::int32_t* tokens, std::size_t count, bool render_special = false) const {
    lq_detokenize_options o = LQ_DETOKENIZE_OPTIONS_INIT;
    o.render_special = render_special;
    return detail::read_text([&](auto... a) { return lq_detokenize(a..., get(), tokens, count, &o); });
  }
  std::string detokenize(const Tokens& tokens, bool render_special = false) const {
    return detokenize(tokens.data(), tokens.size(), render_special);
  }
  std::uint32_t vocab_size() const {
    std::uint32_t n = 0;
    detail::check(lq_vocab_size(&n, get()));
    return n;
  }
  std::string token_text(std::int32_t token) const {
    return detail::read_text([&](auto... a) { return lq_token_text(a..., get(), token); });
  }
  lq_token_kind token_kind(std::int32_t token) const {
    lq_token_kind kind = LQ_TOKEN_NORMAL;
    detail::check(lq_token_kind_of(&kind, get(), token));
    return kind;
  }
  std::optional<std::int32_t> find_token(std::string_view text) const {
    std::int32_t id = -1;
    const lq_status status = lq_token_find(&id, get(), text.data(), text.size());
    if (status == LQ_ERR_NOT_FOUND) return std::nullopt;
    detail::check(status);
    return id;
  }
  // "bos", "eos", "eot", ...; nothing if the model has none.
  std::optional<std::int32_t> special_token(const char* role) const {
    std::int32_t id = -1;
    detail::check(lq_token_special(&id, get(), role));
    return id < 0 ? std::nullopt : std::optional<std::int32_t>(id);
  }
  bool is_end_token(std::int32_t token) const {
    std::int32_t end = 0;
    detail::check(lq_token_is_end(&end, get(), token));
    return end != 0;
  }

  const Context& context() const noexcept { return context_; }
  lq_model* get() const noexcept { return raw_->get(); }

 private:
  template <class Fn>
  void load(const ModelOptions& options, Fn&& call) {
    lq_model_options o = LQ_MODEL_OPTIONS_INIT;
    o.compute = options.compute;
    o.vocab_only = options.vocab_only;
    o.private_copy = options.private_copy;
    o.memory_cap = options.memory_cap;
    o.cancel = options.cancel ? options.cancel->get() : nullptr;
    if (options.progress) {
      o.progress = detail::progress_thunk;
      o.progress_user = const_cast<std::function<bool(float)>*>(&options.progress);
    }
    raw_ = std::make_shared<detail::Owner<lq_model>>();
    detail::check(call(raw_->out(), &o));
  }

  Context context_;  // keeps the log callback alive as long as the model
  std::shared_ptr<detail::Owner<lq_model>> raw_;
};

// Turns tokens to text piece by piece, never handing out half a character.
class Stream {
 public:
  explicit Stream(const Model& model, bool render_special = false, bool raw_bytes = false) {
    lq_stream_options o = LQ_STREAM_OPTIONS_INIT;
    o.render_special = render_special;
    o.raw_bytes = raw_bytes;
    detail::check(lq_stream_create(raw_.out(), model.get(), &o));
  }
  std::string_view push(std::int32_t token) {
    const char* text = nullptr;
    std::size_t length = 0;
    detail::check(lq_stream_push(&text, &length, raw_.get(), token));
    return {text, length};
  }
  std::string_view flush() {
    const char* text = nullptr;
    std::size_t length = 0;
    detail::check(lq_stream_flush(&text, &length, raw_.get()));
    return {text, length};
  }

 private:
  detail::Owner<lq_stream> raw_;
};

class ChatTemplate {
 public:
  // The model's own template, or `source`.
  explicit ChatTemplate(const Model& model) { create(model.get(), nullptr, 0); }
  ChatTemplate(const Model& model, std::string_view source) { create(model.get(), source.data(), source.size()); }
  explicit ChatTemplate(std::string_view source) { create(nullptr, source.data(), source.size()); }

  std::string render(const std::vector<Message>& messages, const ChatOptions& options = {}) const {
    const detail::ChatArgs args(messages, options);
    return detail::read_text([&](auto... a) {
      return lq_chat_render(a..., raw_.get(), args.messages.data(), args.messages.size(), &args.options);
    });
  }
  Tokens tokenize(const Model& model, const std::vector<Message>& messages, const ChatOptions& options = {}) const {
    const detail::ChatArgs args(messages, options);
    return detail::read_array<std::int32_t>(256, [&](auto... a) {
      return lq_chat_tokenize(a..., model.get(), raw_.get(), args.messages.data(), args.messages.size(), &args.options);
    });
  }

 private:
  void create(const lq_model* model, const char* source, std::size_t length) {
    detail::check(lq_chat_template_create(raw_.out(), model, source, length));
  }
  detail::Owner<lq_chat_template> raw_;
};

// What a model file holds, without loading its weights.
inline lq_model_info inspect(const std::string& source, const Context& context = Context(), std::uint32_t n_ctx = 0,
                             const char* kv_type = nullptr) {
  lq_model_info info = LQ_MODEL_INFO_INIT;
  lq_inspect_options o = LQ_INSPECT_OPTIONS_INIT;
  o.n_ctx = n_ctx;
  o.kv_type = kv_type;
  detail::check(lq_model_inspect(&info, context.get(), source.c_str(), &o));
  return info;
}
inline std::string inspect_json(const std::string& source, const Context& context = Context(), std::uint32_t n_ctx = 0,
                                const char* kv_type = nullptr) {
  lq_inspect_options o = LQ_INSPECT_OPTIONS_INIT;
  o.n_ctx = n_ctx;
  o.kv_type = kv_type;
  return detail::read_text([&](auto... a) { return lq_model_inspect_json(a..., context.get(), source.c_str(), &o); });
}

struct QuantizeOptions {
  std::string head = {};                     // type of the head; "" = Q8_0 if the type has 4 bits, else the type
  std::function<bool(float)> progress = {};  // fraction; false cancels
  const Cancel* cancel = nullptr;
};

namespace detail {
inline lq_quantize_options to_c(const QuantizeOptions& options) {
  lq_quantize_options o = LQ_QUANTIZE_OPTIONS_INIT;
  o.head = options.head.c_str();
  o.cancel = options.cancel ? options.cancel->get() : nullptr;
  if (options.progress) {
    o.progress = progress_thunk;
    o.progress_user = const_cast<std::function<bool(float)>*>(&options.progress);
  }
  return o;
}
}  // namespace detail

// Writes `target`: the GGUF file `source` with its weights as "F32", "F16", "BF16", "Q8_0", "Q4_0" or "Q4_1".
inline lq_quantize_result quantize(const std::string& source, const std::string& target, const std::string& type,
                                   const QuantizeOptions& options = {}, const Context& context = Context()) {
  const lq_quantize_options o = detail::to_c(options);
  lq_quantize_result result = LQ_QUANTIZE_RESULT_INIT;
  detail::check(lq_quantize(&result, context.get(), source.c_str(), target.c_str(), type.c_str(), &o));
  return result;
}

// The models known by a short name.
inline std::vector<lq_catalogue_entry> catalogue() {
  std::size_t count = 0;
  detail::check(lq_catalogue_count(&count));
  std::vector<lq_catalogue_entry> entries(count, lq_catalogue_entry LQ_CATALOGUE_ENTRY_INIT);
  for (std::size_t i = 0; i < count; ++i) detail::check(lq_catalogue_get(&entries[i], i));
  return entries;
}
inline std::string model_path(const std::string& source) {
  return detail::read_text([&](auto... a) { return lq_model_path(a..., source.c_str()); });
}

}  // namespace loquor
#endif
