// Sessions and chat templates as the C interface holds them, and the pieces that generation, batches and chat share.
#pragma once

#include <cstddef>
#include <optional>

#include "args.hpp"
#include "loquor/generate/session.hpp"
#include "lq_generate.h"
#include "model.hpp"

namespace lq::capi {

template <>
inline constexpr std::size_t kFirstSize<lq_generate_options> = offsetof(lq_generate_options, lookup);
template <>
inline constexpr std::size_t kFirstSize<lq_result> = offsetof(lq_result, drafted_tokens);

struct SessionObject final : Object {
  static constexpr Kind kKind = Kind::session;
  SessionObject(std::shared_ptr<const Model> m, Session s)
      : Object(kKind), model(std::move(m)), session(std::move(s)) {}
  std::shared_ptr<const Model> model;
  Session session;
  std::vector<lq_logprob> top;  // what the last event pointed at
  std::vector<std::int32_t> chat_tokens;
};

// The options of the C interface as the engine wants them; a sampler's chain is copied.
GenerateOptions generate_options(const Call& call, const lq_generate_options& o, std::size_t n_vocab);

// Text to the tokens of a prompt, as lq_session_generate reads it.
std::vector<std::int32_t> prompt_tokens(const Call& call, const SessionObject& s, const char* prompt,
                                        std::size_t length, const lq_generate_options& o);

// A conversation to the tokens of a prompt, through the model's own template.
std::vector<std::int32_t> chat_prompt_tokens(const Call& call, const Model& model, const lq_message* messages,
                                             std::size_t count, const lq_chat_options* options);

// The event as the C interface tells it. Its pointers live as long as those of `e` and as `top`.
lq_event to_c(const Event& e, std::vector<lq_logprob>& top);

lq_result to_c(const GenerateResult& r, double load_ms);

}  // namespace lq::capi
