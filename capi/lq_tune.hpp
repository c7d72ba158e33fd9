// Part of loquor.hpp: fine-tuning.
#ifndef LOQUOR_LQ_TUNE_HPP
#define LOQUOR_LQ_TUNE_HPP

#include "lq_eval.hpp"
#include "lq_train.hpp"
#include "lq_tune.h"

namespace loquor {

struct FinetuneOptions {
  // AdamW at 2e-4 falling by a cosine, norm at most 1, batches of 4 rows.
  static TrainOptions defaults() {
    TrainOptions t;
    t.learning_rate = 2e-4;
    t.schedule = "cosine";
    t.clip = 1;
    t.batch = 4;
    return t;
  }

  std::string data = {}, eval_data = {}, out = {}, base = {};
  double eval_fraction = 0;
  std::uint32_t rank = 8;
  float alpha = 0, dropout = 0;  // alpha 0: twice the rank
  std::vector<std::string> targets = {};
  std::uint32_t max_tokens = 0;
  bool completions_only = true, pack = true;
  TrainOptions train = defaults();
  TrainFn progress = nullptr;  // false ends training
  const Cancel* cancel = nullptr;
};

// Trains an adapter into a folder; the report as JSON (lq_finetune).
inline std::string finetune(const Model& model, const FinetuneOptions& options) {
  lq_finetune_options o = LQ_FINETUNE_OPTIONS_INIT;
  const auto text = [](const std::string& s) { return s.empty() ? nullptr : s.c_str(); };
  std::vector<const char*> targets;
  for (const std::string& t : options.targets) targets.push_back(t.c_str());
  o.rank = options.rank;
  o.alpha = options.alpha;
  o.dropout = options.dropout;
  o.targets = targets.data();
  o.target_count = targets.size();
  o.data = options.data.c_str();
  o.eval_data = text(options.eval_data);
  o.eval_fraction = options.eval_fraction;
  o.out = options.out.c_str();
  o.base = text(options.base);
  o.max_tokens = options.max_tokens;
  o.all_tokens = options.completions_only ? 0 : 1;
  o.no_packing = options.pack ? 0 : 1;
  const lq_train_options train = options.train.raw();
  o.train = &train;
  if (options.progress) {
    o.progress = [](const lq_train_progress* p, void* user) -> int {
      return detail::shield([&] { return (*static_cast<const TrainFn*>(user))(*p); });
    };
    o.progress_user = const_cast<TrainFn*>(&options.progress);
  }
  o.cancel = options.cancel ? options.cancel->get() : nullptr;
  detail::Owner<lq_report> report;
  detail::check(lq_finetune(report.out(), model.get(), &o));
  const char* json = nullptr;
  std::size_t length = 0;
  detail::check(lq_report_json(&json, &length, report.get()));
  return std::string(json, length);
}

}  // namespace loquor
#endif
