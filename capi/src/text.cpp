#include "args.hpp"
#include "loquor/text/tokenizer.hpp"
#include "lq_text.h"
#include "model.hpp"

namespace lq::capi {

namespace {

struct StreamObject final : Object {
  static constexpr Kind kKind = Kind::stream;
  StreamObject(std::shared_ptr<const Tokenizer> tokenizer, StreamDecoder::Mode mode, bool render_special)
      : Object(kKind), decoder(std::move(tokenizer), mode, render_special) {}
  StreamDecoder decoder;
  std::string piece;  // what the last call handed out
};

std::optional<std::int32_t> special_id(const Call& call, const Tokenizer& t, std::string_view role) {
  if (role == "bos") return t.bos();
  if (role == "eos") return t.eos();
  if (role == "eot") return t.eot();
  if (role == "unk") return t.unk();
  if (role == "pad") return t.pad();
  fail(Code::invalid_argument, call.function(), ": role is '", role, "', expected bos, eos, eot, unk or pad");
}

// Both outputs of a stream call must be given: the text cannot be had again.
void clear_piece(const Call& call, const char** text, std::size_t* length) {
  out_param(call, text, "text") = "";
  out_param(call, length, "length") = 0;
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_tokenize(int32_t* out, size_t capacity, size_t* count, const lq_model* model, const char* text,
                      size_t length, const lq_tokenize_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    if (count) *count = 0;
    const Tokenizer& tokenizer = *call.on<ModelObject>(model, "model").tokenizer();
    const lq_tokenize_options o = options_arg<lq_tokenize_options>(call, options, LQ_TOKENIZE_OPTIONS_INIT);
    EncodeOptions encode;
    encode.add_special = o.add_special != 0;
    encode.parse_special = o.parse_special != 0;
    const auto ids = tokenizer.encode(text_arg(call, text, length, "text"), encode);
    write_array<std::int32_t>(call, out, capacity, count, ids);
  });
}

lq_status lq_detokenize(char* out, size_t capacity, size_t* length, const lq_model* model, const int32_t* tokens,
                        size_t count, const lq_detokenize_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    const Tokenizer& tokenizer = *call.on<ModelObject>(model, "model").tokenizer();
    const auto o = options_arg<lq_detokenize_options>(call, options, LQ_DETOKENIZE_OPTIONS_INIT);
    const std::string text = tokenizer.decode(array_arg(call, tokens, count, "tokens"), o.render_special != 0);
    write_text(call, out, capacity, length, text);
  });
}

lq_status lq_vocab_size(uint32_t* out, const lq_model* model) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = static_cast<std::uint32_t>(call.on<ModelObject>(model, "model").tokenizer()->vocab_size());
  });
}

lq_status lq_token_text(char* out, size_t capacity, size_t* length, const lq_model* model, int32_t token) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    write_text(call, out, capacity, length, call.on<ModelObject>(model, "model").tokenizer()->token_bytes(token));
  });
}

lq_status lq_token_kind_of(lq_token_kind* out, const lq_model* model, int32_t token) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = LQ_TOKEN_NORMAL;
    *out = static_cast<lq_token_kind>(call.on<ModelObject>(model, "model").tokenizer()->kind(token));
  });
}

lq_status lq_token_find(int32_t* out, const lq_model* model, const char* text, size_t length) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = -1;
    const Tokenizer& tokenizer = *call.on<ModelObject>(model, "model").tokenizer();
    const std::string_view bytes = text_arg(call, text, length, "text");
    auto id = tokenizer.find_bytes(bytes);
    if (!id) id = tokenizer.find(bytes);  // control tokens: as they are spelled
    LQ_CHECK(id && tokenizer.token_bytes(*id) == bytes, Code::not_found, call.function(),
             ": no token of the vocabulary stands for these ", bytes.size(), " bytes");
    *out = *id;
  });
}

lq_status lq_token_special(int32_t* out, const lq_model* model, const char* role) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = -1;
    const Tokenizer& tokenizer = *call.on<ModelObject>(model, "model").tokenizer();
    *out = special_id(call, tokenizer, name_arg(call, role, "role")).value_or(-1);
  });
}

lq_status lq_token_is_end(int32_t* out, const lq_model* model, int32_t token) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    const Tokenizer& tokenizer = *call.on<ModelObject>(model, "model").tokenizer();
    tokenizer.kind(token);  // refuses ids outside the vocabulary
    *out = tokenizer.is_end_of_generation(token) ? 1 : 0;
  });
}

lq_status lq_stream_create(lq_stream** out, const lq_model* model, const lq_stream_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    ModelObject& m = call.on<ModelObject>(model, "model");
    const auto o = options_arg<lq_stream_options>(call, options, LQ_STREAM_OPTIONS_INIT);
    *out = new_handle<StreamObject, lq_stream>(
        m.tokenizer(), o.raw_bytes ? StreamDecoder::Mode::bytes : StreamDecoder::Mode::text, o.render_special != 0);
  });
}

lq_status lq_stream_push(const char** text, size_t* length, lq_stream* stream, int32_t token) noexcept {
  return guard(__func__, [&](Call& call) {
    clear_piece(call, text, length);
    StreamObject& s = call.on<StreamObject>(stream, "stream");
    s.piece = s.decoder.feed(token);
    *text = s.piece.c_str();
    *length = s.piece.size();
  });
}

lq_status lq_stream_flush(const char** text, size_t* length, lq_stream* stream) noexcept {
  return guard(__func__, [&](Call& call) {
    clear_piece(call, text, length);
    StreamObject& s = call.on<StreamObject>(stream, "stream");
    s.piece = s.decoder.flush();
    *text = s.piece.c_str();
    *length = s.piece.size();
  });
}

void lq_stream_free(lq_stream* stream) noexcept { free_handle(stream, Kind::stream); }

}  // extern "C"
