// loquor perplexity: how well a model predicts a text.
#include <chrono>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  std::string file, kv_type = "f16";
  unsigned ctx = 512, windows = 0, stride = 0;
};

int run(const Options& o) {
  const std::string text = read_file(o.file);
  const loquor::Model model = o.common.load();
  const loquor::Tokens tokens = model.tokenize(text, true, false);
  lq_perplexity_options options = LQ_PERPLEXITY_OPTIONS_INIT;
  options.kv_type = o.kv_type.c_str();
  options.max_windows = o.windows;
  options.stride = o.stride;
  options.cancel = interrupt().get();
  ProgressBar bar("Perplexity");
  const auto start = std::chrono::steady_clock::now();
  const lq_perplexity_result r = loquor::perplexity(
      model, tokens, o.ctx,
      [&](float fraction) {
        bar.update(static_cast<double>(fraction));
        return true;
      },
      options);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  if (o.common.json) {
    print_json({{"perplexity", r.perplexity},
                {"std_error", r.std_error},
                {"mean_logprob", r.mean_logprob},
                {"ctx", o.ctx},
                {"stride", o.stride},
                {"windows", r.windows},
                {"scored", r.scored},
                {"tokens", tokens.size()},
                {"ms", elapsed.count()}});
  } else {
    std::printf("perplexity %.4f +- %.4f (%llu tokens scored in %u windows of %u)\n", r.perplexity, r.std_error,
                static_cast<unsigned long long>(r.scored), r.windows, o.ctx);
  }
  return kOk;
}

}  // namespace

Command add_perplexity(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("perplexity", "Measure how well a model predicts a text (lower is better)");
  o->common.add_to(*sub);
  sub->add_option("-f,--file", o->file, "The text; - is standard input")->required();
  sub->add_option("--ctx", o->ctx, "Tokens in one window; the second half of each is scored")
      ->check(CLI::Range(4, 1 << 20))
      ->capture_default_str();
  sub->add_option("--stride", o->stride,
                  "Let windows slide by so many tokens, each scoring those that are new; 0 = no overlap")
      ->capture_default_str();
  sub->add_option("--windows", o->windows, "Most windows to score; 0 = all")->capture_default_str();
  sub->add_option("--kv-type", o->kv_type, "Type of the KV cache: f16, q8_0 or f32")->capture_default_str();
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
