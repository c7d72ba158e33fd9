// loquor quantize: a model file with its weights in another type.
#include <chrono>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  std::string source, target, type, head;
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
                {"source_bytes", r.source_bytes},
                {"target_bytes", r.target_bytes},
                {"ms", ms}});
    return;
  }
  std::printf("%s: %s (was %s), %u of %u tensors converted to %s, head %s, in %.1f s\n", o.target.c_str(),
              megabytes(static_cast<double>(r.target_bytes)).c_str(),
              megabytes(static_cast<double>(r.source_bytes)).c_str(), r.converted, r.tensors, o.type.c_str(), r.head,
              ms / 1000);
  if (r.requantized)
    std::printf("note: %u of them were quantised before; from an F16, BF16 or F32 file they lose less\n",
                r.requantized);
  if (r.odd) std::printf("note: %u of them became F16, since their rows are not a multiple of 32\n", r.odd);
}

lq_quantize_result quantize(const Options& o) {
  loquor::ContextOptions context;
  context.threads = o.threads;
  ProgressBar bar("Quantising");
  loquor::QuantizeOptions options;
  options.head = o.head;
  options.cancel = &interrupt();
  options.progress = [&](float fraction) {
    bar.update(static_cast<double>(fraction));
    return true;
  };
  return loquor::quantize(o.source, o.target, o.type, options, loquor::Context(context));
}

int run(const Options& o) {
  const auto start = std::chrono::steady_clock::now();
  const lq_quantize_result r = quantize(o);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  print(o, r, elapsed.count());
  return kOk;
}

}  // namespace

Command add_quantize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("quantize", "Write a model file with its weights in another type");
  sub->add_option("source", o->source, "GGUF file, or a name of `loquor models`")->required();
  sub->add_option("target", o->target, "File to write; replaced only when complete")->required();
  sub->add_option("type", o->type, "F32, F16, BF16, Q8_0, Q4_0 or Q4_1")->required();
  sub->add_option("--head", o->head,
                  "Type of the tensor that makes the logits (default: Q8_0 for a 4-bit type, else the type)");
  sub->add_option("-t,--threads", o->threads, "Computing threads; 0 = all CPUs of this process")
      ->check(CLI::Range(0, 1024));
  sub->add_flag("--json", o->json, "Print one JSON document");
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
