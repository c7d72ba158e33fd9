// dump_logits MODEL.gguf JOB.json [--reference] [--kv F16|Q8_0|F32] [--threads N]
// For compare_logits.py: reads {"prompts": [[ids]...], "greedy": n} and writes to stdout, little-endian: the vocabulary
// size (i32), all logits of each prompt (f32), then n greedy ids (i32) per prompt.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loquor/formats/gguf.hpp"
#include "loquor/models/decoder.hpp"

namespace {

using Ids = std::vector<std::int32_t>;

struct Options {
  std::string model, job;
  lq::LoadOptions load;
  lq::DType kv = lq::DType::F16;
  unsigned threads = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  if (argc < 3)
    lq::fail(lq::Code::invalid_argument, "usage: dump_logits MODEL JOB [--reference] [--kv TYPE] [--threads N]");
  o.model = argv[1];
  o.job = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--reference")
      o.load.compute = lq::Compute::reference;
    else if (a == "--kv" && i + 1 < argc)
      o.kv = lq::type_from_name(argv[++i]).value();
    else if (a == "--threads" && i + 1 < argc)
      o.threads = static_cast<unsigned>(std::stoul(argv[++i]));
    else
      lq::fail(lq::Code::invalid_argument, "unknown argument ", a);
  }
  return o;
}

void put(const void* data, std::size_t bytes) {
  if (std::fwrite(data, 1, bytes, stdout) != bytes) lq::fail(lq::Code::io, "cannot write to stdout");
}

void run(const Options& o) {
  lq::ContextOptions co;
  co.threads.threads = o.threads;
  const auto ctx = std::make_shared<const lq::Context>(co);
  const auto model = lq::Decoder::load(ctx, lq::GgufFile::open(o.model), o.load);
  const nlohmann::json job = nlohmann::json::parse(std::ifstream(o.job));
  const std::vector<Ids> prompts = job.at("prompts");
  const std::size_t n_greedy = job.at("greedy");
  const std::int32_t n_vocab = static_cast<std::int32_t>(model->spec().n_vocab);
  put(&n_vocab, sizeof n_vocab);
  std::size_t longest = 1;
  for (const Ids& p : prompts) longest = std::max(longest, p.size());
  lq::Decoder::Pass pass(model, longest, longest, longest + n_greedy);
  std::vector<Ids> continuations;
  for (const Ids& p : prompts) {
    lq::KvSequence seq(*ctx, model->kv_layout(o.kv));
    const lq::PassSegment segment{&seq, p, lq::LogitsFor::all};
    pass.begin({&segment, 1});
    pass.run();
    for (std::size_t i = 0; i < p.size(); ++i) put(pass.logits(i).data(), pass.logits(i).size_bytes());
    Ids& out = continuations.emplace_back();
    while (out.size() < n_greedy) {
      const auto row = pass.logits(pass.logits_rows() - 1);
      out.push_back(static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
      const lq::PassSegment next{&seq, {&out.back(), 1}, lq::LogitsFor::last};
      pass.begin({&next, 1});
      pass.run();
    }
  }
  for (const Ids& c : continuations) put(c.data(), c.size() * sizeof(std::int32_t));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "dump_logits: %s\n", e.what());
    return 1;
  }
  return 0;
}
