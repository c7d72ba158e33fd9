// loquor mmlu: 57 subjects of questions with four answers.
#include <chrono>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  loquor::MmluOptions mmlu;
};

void print_row(const std::string& name, const Json& score) {
  std::printf("  %-40s %6.2f %% +- %5.2f  of %5d\n", name.c_str(), 100 * score["accuracy"].get<double>(),
              100 * score["std_error"].get<double>(), score["questions"].get<int>());
}

void print_report(const Json& report) {
  for (const auto& [name, score] : report["subjects"].items()) print_row(name, score);
  std::printf("\n");
  for (const auto& [name, score] : report["categories"].items()) print_row(name, score);
  print_row("all questions", report["micro"]);
  std::printf("  %-40s %6.2f %%\n", "mean of the subjects", 100 * report["macro"].get<double>());
  std::printf("  %-40s %6.3f\n", "expected calibration error", report["calibration_error"].get<double>());
  std::fprintf(stderr, "[%d of the answers were there already, %d prompts lost examples, %.1f s]\n",
               report["resumed"].get<int>(), report["cut"].get<int>(), report["seconds"].get<double>());
}

int run(Options& o) {
  const loquor::Model model = o.common.load();
  ProgressBar bar("MMLU");
  const auto begin = std::chrono::steady_clock::now();
  o.mmlu.cancel = &interrupt();
  o.mmlu.progress = [&](std::uint32_t done, std::uint32_t all) {
    const double fraction = static_cast<double>(done) / all;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    bar.update(fraction, spent.count() * (1 - fraction) / fraction);
    return true;
  };
  const Json report = Json::parse(loquor::mmlu(model, o.mmlu));
  if (o.common.json)
    print_json(report);
  else
    print_report(report);
  return kOk;
}

}  // namespace

Command add_mmlu(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("mmlu", "Answer the questions of MMLU");
  o->common.add_to(*sub);
  sub->add_option("--data", o->mmlu.data, "The folder with dev/*_dev.csv and test/*_test.csv")->required();
  sub->add_option("--shots", o->mmlu.shots, "Examples before each question")
      ->check(CLI::Range(0, 5))
      ->capture_default_str();
  sub->add_option("--subjects", o->mmlu.subjects, "Only these, separated by commas")->delimiter(',');
  sub->add_option("--limit", o->mmlu.limit, "Most questions of a subject; 0 = all")->capture_default_str();
  sub->add_option("--format", o->mmlu.format, "The prompt: hendrycks, or harness (lm-evaluation-harness)")
      ->check(CLI::IsMember({"hendrycks", "harness"}));
  sub->add_option("--results", o->mmlu.results, "Add each answer to this file, and go on with what it holds");
  sub->add_option("--ctx", o->mmlu.n_ctx, "Tokens the session holds; 0 = as the model was trained")
      ->capture_default_str();
  sub->add_flag("--answers", o->mmlu.answers, "List every answer (with --json)");
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
