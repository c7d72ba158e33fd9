#include "loquor/prompt/prompt.hpp"

#include <nlohmann/json.hpp>

#include "lq_prompt.h"
#include "report.hpp"
#include "session.hpp"

namespace lq::capi {
namespace {

struct PromptObject final : Object {
  static constexpr Kind kKind = Kind::prompt;
  PromptObject(PromptOptions options, std::shared_ptr<const Model> encoder)
      : Object(kKind),
        embedder(encoder ? std::make_unique<Embedder>(std::move(encoder)) : nullptr),
        prompt(std::move(options), embedder.get()) {}
  std::unique_ptr<Embedder> embedder;
  Prompt prompt;
};

}  // namespace
}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_prompt_create(lq_prompt** out, const char* options, size_t length, lq_model* encoder) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    std::shared_ptr<const Model> model;
    if (encoder) model = call.on<ModelObject>(encoder, "encoder").model;
    *out = new_handle<PromptObject, lq_prompt>(prompt_options(text_arg(call, options, length, "options")),
                                               std::move(model));
  });
}

void lq_prompt_free(lq_prompt* prompt) noexcept { free_handle(prompt, Kind::prompt); }

lq_status lq_prompt_ask(lq_report** out, lq_prompt* prompt, lq_session* session, const char* question, size_t length,
                        const lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    Prompt& p = call.on<PromptObject>(prompt, "prompt").prompt;
    const Use<SessionObject> in(call, session, "session");
    std::shared_ptr<const std::atomic<bool>> flag;
    if (cancel) flag = Use<CancelObject>(call, cancel, "cancel")->flag;
    const std::string text(text_arg(call, question, length, "question"));
    *out = new_handle<ReportObject, lq_report>(to_json(p.ask(in->session, text, flag)));
  });
}

lq_status lq_prompt_build(lq_report** out, lq_prompt* prompt, lq_model* model, const char* question, size_t length,
                          uint32_t budget) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    Prompt& p = call.on<PromptObject>(prompt, "prompt").prompt;
    const Use<ModelObject> m(call, model, "model");
    const std::string text(text_arg(call, question, length, "question"));
    const std::size_t most = budget ? budget : m->model->decoder() ? m->model->decoder()->spec().n_ctx_train : SIZE_MAX;
    const Prompt::Built b = p.build(*m->model, text, most);
    const nlohmann::ordered_json j = {
        {"text", b.text}, {"tokens", b.tokens}, {"shown", b.shown}, {"dropped", b.dropped}};
    *out =
        new_handle<ReportObject, lq_report>(j.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  });
}

lq_status lq_prompt_error(char* out, size_t capacity, size_t* length, const lq_prompt* prompt) noexcept {
  return object_error(__func__, out, capacity, length, prompt, Kind::prompt);
}

}  // extern "C"
