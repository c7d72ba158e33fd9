// loquor embed: vectors of texts by a text encoder.
#include <chrono>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  std::vector<std::string> texts;
  std::string file, pooling;
  unsigned max_tokens = 0;
  bool raw = false;
};

// Those of the command line, then the lines of the file.
std::vector<std::string> all_texts(const Options& o) {
  std::vector<std::string> texts = o.texts;
  if (o.file.empty()) return texts;
  const std::string all = read_file(o.file);
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\n', at), all.size());
    if (end > at) texts.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return texts;
}

int run(const Options& o) {
  const std::vector<std::string> texts = all_texts(o);
  if (texts.empty()) throw UsageError("embed: no texts (give --text or --file)");
  const loquor::Model model = o.common.load();
  loquor::EmbedderOptions options;
  options.max_tokens = o.max_tokens;
  options.normalize = !o.raw;
  options.pooling = o.pooling;
  loquor::Embedder embedder(model, options);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<float> out = embedder.embed({texts.begin(), texts.end()}, &interrupt());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const std::size_t n = embedder.dimension();
  if (o.common.json) {
    Json vectors = Json::array();
    for (std::size_t i = 0; i < texts.size(); ++i)
      vectors.push_back(std::vector<float>(out.begin() + static_cast<std::ptrdiff_t>(i * n),
                                           out.begin() + static_cast<std::ptrdiff_t>((i + 1) * n)));
    print_json({{"dimension", n}, {"texts", texts.size()}, {"ms", seconds.count() * 1000}, {"vectors", vectors}});
    return kOk;
  }
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (std::size_t j = 0; j < n; ++j)
      std::printf("%.8g%c", static_cast<double>(out[i * n + j]), j + 1 < n ? ' ' : '\n');
  std::fprintf(stderr, "%zu texts in %.3f s (%.1f texts/s)\n", texts.size(), seconds.count(),
               static_cast<double>(texts.size()) / seconds.count());
  return kOk;
}

}  // namespace

Command add_embed(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("embed", "Make vectors of texts with a text encoder");
  o->common.add_to(*sub);
  sub->add_option("--text", o->texts, "A text; may be given several times");
  sub->add_option("-f,--file", o->file, "A file with a text on each line; - is standard input");
  sub->add_option("--max-tokens", o->max_tokens, "Cut longer texts; 0 = as the model says");
  sub->add_option("--pooling", o->pooling, "mean, cls or last (default: as the model says)");
  sub->add_flag("--raw", o->raw, "Vectors as they come, not of length 1");
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
