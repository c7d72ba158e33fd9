// loquor finetune: an adapter from a file of examples.
#include <chrono>
#include <cmath>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  loquor::FinetuneOptions tune;
};

void print_report(const Options& o, const Json& r) {
  const Json& t = r["train"];
  std::printf(
      "%d texts, %d of their %d tokens learnt, in %d rows of %d; %d longer texts and %d with nothing to learn were "
      "left out\n",
      t["lines"].get<int>() - t["too_long"].get<int>() - t["empty"].get<int>(), t["learnt"].get<int>(),
      t["tokens"].get<int>(), r["rows"].get<int>(), r["row_tokens"].get<int>(), t["too_long"].get<int>(),
      t["empty"].get<int>());
  std::printf("%d parameters, %d steps, loss %.4f, %.1f s\n", r["parameters"].get<int>(), r["steps"].get<int>(),
              r["loss"].get<double>(), r["seconds"].get<double>());
  if (r.contains("eval"))
    std::printf("perplexity on the texts held out: %.3f, before %.3f\n", r["perplexity_after"].get<double>(),
                r["perplexity_before"].get<double>());
  std::printf("adapter in %s: loquor generate --lora %s --prompt ...\n", o.tune.out.c_str(), o.tune.out.c_str());
}

int run(Options& o) {
  const loquor::Model model = o.common.load();
  o.tune.train.seed = o.common.seed.value_or(0);
  o.tune.cancel = &interrupt();
  ProgressBar bar("Training");
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t first = 0;
  o.tune.progress = [&](const lq_train_progress& p) {
    if (!first) first = p.step;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    const double done = static_cast<double>(p.step - first + 1), left = static_cast<double>(p.steps - p.step);
    bar.update(static_cast<double>(p.step) / static_cast<double>(p.steps), spent.count() * left / done);
    return true;
  };
  const Json report = Json::parse(loquor::finetune(model, o.tune));
  if (o.common.json)
    print_json(report);
  else
    print_report(o, report);
  return kOk;
}

void add_training(CLI::App& sub, loquor::TrainOptions& t) {
  sub.add_option("--epochs", t.epochs, "Times through the texts; 1 if neither this nor --steps is given");
  sub.add_option("--steps", t.steps, "Updates in all, instead of --epochs");
  sub.add_option("--batch", t.batch, "Rows at once")->check(CLI::Range(1, 1 << 16))->capture_default_str();
  sub.add_option("--accumulate", t.accumulate, "Batches for one update")->check(CLI::Range(0, 1 << 16));
  sub.add_option("--rate", t.learning_rate, "Learning rate")->check(CLI::PositiveNumber)->capture_default_str();
  sub.add_option("--schedule", t.schedule, "Of the rate: constant, linear or cosine")
      ->check(CLI::IsMember({"constant", "linear", "cosine"}))
      ->capture_default_str();
  sub.add_option("--warmup", t.warmup, "Updates in which the rate rises")->capture_default_str();
  sub.add_option("--weight-decay", t.weight_decay)->check(CLI::NonNegativeNumber)->capture_default_str();
  sub.add_option("--clip", t.clip, "Largest norm of the gradients; 0 = no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  sub.add_option("--eval-every", t.eval_every, "Updates between evaluations; 0 = an epoch")->capture_default_str();
  sub.add_option("--patience", t.patience, "Evaluations without a better one after which training ends; 0 = never")
      ->capture_default_str();
  sub.add_option("--checkpoint-every", t.checkpoint_every, "Updates between checkpoints; 0 = only when it is ended")
      ->capture_default_str();
}

}  // namespace

Command add_finetune(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("finetune", "Train an adapter (LoRA) on examples");
  o->common.add_to(*sub);
  auto& t = o->tune;
  sub->add_option("--data", t.data, R"(JSONL: {"messages"}, {"prompt", "completion"} or {"text"})")->required();
  sub->add_option("--out", t.out, "The folder for the adapter; training that was ended goes on from what is there")
      ->required();
  auto* eval = sub->add_option("--eval-data", t.eval_data, "Texts to evaluate on");
  sub->add_option("--eval-fraction", t.eval_fraction, "Of --data to hold out for that")
      ->check(CLI::Range(0.0, 0.99))
      ->excludes(eval);
  sub->add_option("--rank", t.rank, "Of the adapter")->check(CLI::Range(1, 1024))->capture_default_str();
  sub->add_option("--alpha", t.alpha, "What was learnt counts alpha / rank times; twice the rank if not given")
      ->check(CLI::PositiveNumber);
  sub->add_option("--dropout", t.dropout)->check(CLI::Range(0.0, 0.99))->capture_default_str();
  sub->add_option("--targets", t.targets, "Matrices to adapt, separated by commas (q_proj,v_proj); all if not given")
      ->delimiter(',');
  sub->add_option("--max-tokens", t.max_tokens, "Of a text and of a row; longer texts are left out. 0 = 512")
      ->capture_default_str();
  sub->add_flag("!--all-tokens", t.completions_only, "Learn prompts and what users say too");
  sub->add_flag("!--no-packing", t.pack, "One text in a row");
  sub->add_option("--base", t.base, "The model's name in adapter_config.json");
  add_training(*sub, t.train);
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
