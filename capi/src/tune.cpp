#include "loquor/tune/finetune.hpp"

#include "lq_tune.h"
#include "report.hpp"
#include "session.hpp"
#include "train.hpp"

namespace lq::capi {
namespace {

FinetuneOptions finetune_options(const Call& call, const Model& model, const lq_finetune_options& o) {
  LQ_CHECK(o.reserved == 0, Code::invalid_argument, call.function(), ": reserved is not 0");
  FinetuneOptions f;
  f.data = name_arg(call, o.data, "options.data");
  f.out = name_arg(call, o.out, "options.out");
  if (o.eval_data) f.eval_data = name_arg(call, o.eval_data, "options.eval_data");
  if (o.base) f.base = name_arg(call, o.base, "options.base");
  f.eval_fraction = o.eval_fraction;
  if (o.rank) f.lora.rank = o.rank;
  f.lora.alpha = o.alpha != 0 ? o.alpha : 2 * static_cast<float>(f.lora.rank);
  f.lora.dropout = o.dropout;
  constexpr std::size_t kMost = 1000;
  for (const char* target : array_arg(call, o.targets, o.target_count, "options.targets", kMost))
    f.lora.targets.push_back(name_arg(call, target, "options.targets[i]"));
  f.format.completions_only = o.all_tokens == 0;
  f.pack = o.no_packing == 0;
  if (model.decoder()) f.format.max_tokens = std::min(f.format.max_tokens, model.decoder()->spec().n_ctx_train);
  if (o.max_tokens) f.format.max_tokens = o.max_tokens;
  f.train = o.train ? train_options(call, o.train) : finetune_defaults();
  LQ_CHECK(f.train.checkpoint.empty(), Code::invalid_argument, call.function(),
           ": options.train->checkpoint is not NULL; it is a file in options.out");
  f.lora.seed = f.train.seed;
  if (o.cancel) f.cancel = Use<CancelObject>(call, o.cancel, "options.cancel")->flag;
  if (o.progress)
    f.progress = [fn = o.progress, user = o.progress_user](const TrainProgress& p) {
      const lq_train_progress now = to_c(p);
      return fn(&now, user) == 0;
    };
  return f;
}

}  // namespace
}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" lq_status lq_finetune(lq_report** out, lq_model* model, const lq_finetune_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const std::shared_ptr<const Model> m = call.on<ModelObject>(model, "model").model;
    const auto o = options_arg<lq_finetune_options>(call, options, LQ_FINETUNE_OPTIONS_INIT);
    *out = new_handle<ReportObject, lq_report>(to_json(finetune(m, finetune_options(call, *m, o))));
  });
}
