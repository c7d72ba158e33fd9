#include "loquor/tune/finetune.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

namespace fs = std::filesystem;

void check(const Model* model, const FinetuneOptions& o) {
  LQ_CHECK(model && model->decoder(), Code::invalid_argument, "fine-tuning: the model has no weights to generate with");
  LQ_CHECK(!o.data.empty() && !o.out.empty(), Code::invalid_argument, "fine-tuning: data and out must be given");
  LQ_CHECK(o.eval_fraction >= 0 && o.eval_fraction < 1, Code::invalid_argument, "fine-tuning: eval_fraction is ",
           o.eval_fraction, ", expected 0 to below 1");
  LQ_CHECK(o.eval_fraction == 0 || o.eval_data.empty(), Code::invalid_argument,
           "fine-tuning: eval_data and eval_fraction: only one of them can hold");
  LQ_CHECK(o.train.loss == nn::Loss::cross_entropy && !o.train.carry, Code::invalid_argument,
           "fine-tuning: the loss is cross_entropy, without carry");
  const std::size_t most = model->decoder()->spec().n_ctx_train;
  LQ_CHECK(o.format.max_tokens <= most, Code::invalid_argument, "fine-tuning: texts of ", o.format.max_tokens,
           " tokens, the model takes ", most);
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  LQ_CHECK(!error, Code::io, "fine-tuning: cannot make the folder '", path, "': ", error.message());
}

// Moves the held-out texts from one set to the other, drawn by the seed.
void hold_out(TuneTexts& from, TuneTexts& to, double fraction, std::uint64_t seed) {
  const std::size_t n = from.texts.size();
  const auto held = std::min(n - 1, static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(n))));
  std::vector<TuneText> rest;
  for (std::size_t i = 0; i < n; ++i) {
    TuneTexts& owner = permuted(i, n, seed) < held ? to : from;
    const auto learnt = static_cast<std::size_t>(
        std::count_if(from.texts[i].learnt.begin() + 1, from.texts[i].learnt.end(), [](auto x) { return x != 0; }));
    if (&owner == &to) {
      from.tokens -= from.texts[i].tokens.size();
      from.learnt -= learnt;
      to.tokens += from.texts[i].tokens.size();
      to.learnt += learnt;
      ++to.lines;
      --from.lines;
      to.texts.push_back(std::move(from.texts[i]));
    } else {
      rest.push_back(std::move(from.texts[i]));
    }
  }
  from.texts = std::move(rest);
}

// Rows are no longer than they must be: what follows the longest text would only be padding.
std::size_t row_length(const TuneTexts& a, const TuneTexts& b, const FinetuneOptions& o) {
  if (o.pack) return o.format.max_tokens;
  std::size_t longest = 0;
  for (const TuneTexts* t : {&a, &b})
    for (const TuneText& text : t->texts) longest = std::max(longest, text.tokens.size());
  return longest;
}

void save(const LoraModel& lora, const Model& model, const FinetuneOptions& o) {
  lora.save_peft(o.out, o.base.empty() ? model.file().name() : o.base);
  lora.save_gguf((fs::path(o.out) / "adapter.gguf").string());
}

struct Texts {
  TuneTexts train, eval;
};

Texts read(const Model& model, const FinetuneOptions& o) {
  Texts t;
  t.train = read_tune_texts(model, o.data, o.format);
  if (!o.eval_data.empty()) t.eval = read_tune_texts(model, o.eval_data, o.format);
  LQ_CHECK(!t.train.texts.empty(), Code::invalid_argument, "fine-tuning: '", o.data, "' has no text to learn from: of ",
           t.train.lines, " lines ", t.train.too_long, " are longer than ", o.format.max_tokens, " tokens and ",
           t.train.empty, " have nothing to learn");
  LQ_CHECK(o.eval_data.empty() || !t.eval.texts.empty(), Code::invalid_argument, "fine-tuning: '", o.eval_data,
           "' has no text to evaluate on");
  if (o.eval_fraction > 0) {
    LQ_CHECK(t.train.texts.size() > 1, Code::invalid_argument, "fine-tuning: one text cannot be split");
    hold_out(t.train, t.eval, o.eval_fraction, o.train.seed ^ 0x65766cULL);
  }
  return t;
}

}  // namespace

TrainOptions finetune_defaults() {
  TrainOptions t;
  t.optimizer.name = "adamw";
  t.optimizer.clip = 1.0;
  t.learning_rate = 2e-4;
  t.schedule = "cosine";
  t.batch = 4;
  return t;
}

FinetuneReport finetune(const std::shared_ptr<const Model>& model, const FinetuneOptions& options) {
  check(model.get(), options);
  Texts texts = read(*model, options);
  FinetuneReport r;
  r.row_tokens = row_length(texts.train, texts.eval, options);
  const auto train = packed_dataset(texts.train.texts, r.row_tokens, options.pack);
  const auto eval = texts.eval.texts.empty() ? nullptr : packed_dataset(texts.eval.texts, r.row_tokens, options.pack);
  r.rows = train->size();
  make_folder(options.out);
  LoraModel lora(model->decoder(), options.lora);
  r.parameters = lora.parameters().count();
  TrainOptions t = options.train;
  t.checkpoint = (fs::path(options.out) / "checkpoint.safetensors").string();
  Trainer trainer(lora, t);
  trainer.watch(options.cancel.get());
  r.eval_loss_before = r.eval_loss_after = std::numeric_limits<double>::quiet_NaN();
  if (eval) r.eval_loss_before = trainer.evaluate(*eval);
  const auto begin = std::chrono::steady_clock::now();
  try {
    r.end = trainer.fit(*train, eval.get(), options.progress);
  } catch (const Error& e) {
    if (e.code() == Code::cancelled) trainer.save_checkpoint(t.checkpoint);
    throw;
  }
  r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (eval) r.eval_loss_after = trainer.evaluate(*eval);
  save(lora, *model, options);
  std::error_code ignored;
  fs::remove(t.checkpoint, ignored);
  for (TuneTexts* s : {&texts.train, &texts.eval}) s->texts.clear();
  r.train = std::move(texts.train);
  r.eval = std::move(texts.eval);
  return r;
}

namespace {

nlohmann::ordered_json texts_json(const TuneTexts& t) {
  return {{"lines", t.lines}, {"too_long", t.too_long}, {"empty", t.empty}, {"tokens", t.tokens}, {"learnt", t.learnt}};
}

}  // namespace

std::string to_json(const FinetuneReport& r) {
  nlohmann::ordered_json out = {{"train", texts_json(r.train)}, {"rows", r.rows},      {"row_tokens", r.row_tokens},
                                {"parameters", r.parameters},   {"steps", r.end.step}, {"steps_planned", r.end.steps},
                                {"skipped", r.end.skipped},     {"loss", r.end.loss},  {"seconds", r.seconds}};
  if (r.eval.lines) {
    out["eval"] = texts_json(r.eval);
    out["eval_loss_before"] = r.eval_loss_before;
    out["eval_loss_after"] = r.eval_loss_after;
    out["perplexity_before"] = std::exp(r.eval_loss_before);
    out["perplexity_after"] = std::exp(r.eval_loss_after);
  }
  return out.dump();
}

}  // namespace lq
