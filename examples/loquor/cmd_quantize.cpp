// loquor quantize: a model file with its weights in another type. loquor convert: a folder as such a file. loquor
// merge: with adapters in them.
#include <chrono>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  std::string source, target, type, head;
  std::vector<std::string> lora;  // merge only
  unsigned threads = 0;
  bool json = false;
};

void print(const Options& o, const lq_quantize_result& r, double ms) {
  if (o.json) {
    print_json({{"source", o.source},
                {"target", o.target},
                {"type", o.type},
                {"head", r.head},
                {"tensors", r.tensors},
                {"converted", r.converted},
                {"requantized", r.requantized},
                {"odd", r.odd},
                {"merged", r.merged},
                {"source_bytes", r.source_bytes},
                {"target_bytes", r.target_bytes},
                {"ms", ms}});
    return;
  }
  std::printf("%s: %s (was %s), ", o.target.c_str(), megabytes(static_cast<double>(r.target_bytes)).c_str(),
              megabytes(static_cast<double>(r.source_bytes)).c_str());
  if (r.merged) std::printf("adapters merged into %u matrices, ", r.merged);
  if (!o.type.empty()) std::printf("%u of %u tensors converted to %s, ", r.converted, r.tensors, o.type.c_str());
  std::printf("head %s, in %.1f s\n", r.head, ms / 1000);
  if (r.requantized)
    std::printf("note: %u of them were quantised before; from an F16, BF16 or F32 file they lose less\n",
                r.requantized);
  if (r.odd) std::printf("note: %u of them became F16, since their rows are not a multiple of 32\n", r.odd);
}

lq_quantize_result write(const Options& o) {
  loquor::ContextOptions threads;
  threads.threads = o.threads;
  const loquor::Context context(threads);
  ProgressBar bar(o.lora.empty() ? "Quantising" : "Merging");
  loquor::QuantizeOptions options;
  options.head = o.head;
  options.cancel = &interrupt();
  options.progress = [&](float fraction) {
    bar.update(static_cast<double>(fraction));
    return true;
  };
  if (o.lora.empty()) return loquor::quantize(o.source, o.target, o.type, options, context);
  std::vector<std::pair<std::string, float>> adapters;
  for (const std::string& text : o.lora) adapters.push_back(path_and_scale(text));
  return loquor::merge_adapters(o.source, adapters, o.target, o.type, options, context);
}

int run(const Options& o) {
  const auto start = std::chrono::steady_clock::now();
  const lq_quantize_result r = write(o);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  print(o, r, elapsed.count());
  return kOk;
}

}  // namespace

namespace {

void add_rest(CLI::App& sub, Options& o) {
  sub.add_option("--head", o.head,
                 "Type of the tensor that makes the logits (default: Q8_0 for a 4-bit type, else the type)");
  sub.add_option("-t,--threads", o.threads, "Computing threads; 0 = all CPUs of this process")
      ->check(CLI::Range(0, 1024));
  sub.add_flag("--json", o.json, "Print one JSON document");
}

}  // namespace

Command add_quantize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("quantize", "Write a model file with its weights in another type");
  sub->add_option("source", o->source, "GGUF file, or a name of `loquor models`")->required();
  sub->add_option("target", o->target, "File to write; replaced only when complete")->required();
  sub->add_option("type", o->type, "F32, F16, BF16, Q8_0, Q4_0 or Q4_1")->required();
  add_rest(*sub, *o);
  return {sub, [o] { return run(*o); }};
}

Command add_convert(CLI::App& app) {
  auto o = std::make_shared<Options>();
  o->type = "F16";
  CLI::App* sub = app.add_subcommand("convert", "Write a Hugging Face folder as a GGUF file, for here and llama.cpp");
  sub->add_option("source", o->source, "Folder with config.json, safetensors and tokenizer.json; or a GGUF file")
      ->required();
  sub->add_option("target", o->target, "File to write; replaced only when complete")->required();
  sub->add_option("--type", o->type, "F32, F16, BF16, Q8_0, Q4_0 or Q4_1")->capture_default_str();
  add_rest(*sub, *o);
  return {sub, [o] { return run(*o); }};
}

Command add_merge(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("merge", "Write a model file with adapters added to its weights");
  sub->add_option("source", o->source, "GGUF file, Hugging Face folder, or a name of `loquor models`")->required();
  sub->add_option("target", o->target, "File to write; replaced only when complete")->required();
  sub->add_option("--lora", o->lora, "A PEFT folder or a GGUF file, :SCALE after it if not 1; may be repeated")
      ->required();
  sub->add_option("--type", o->type,
                  "F32, F16, BF16, Q8_0, Q4_0 or Q4_1; if not given, each tensor keeps its own. What is merged is "
                  "rounded to it, so that 4 bits may lose small changes");
  add_rest(*sub, *o);
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
