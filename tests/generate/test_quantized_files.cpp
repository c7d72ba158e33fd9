// Files that the quantiser wrote, run by the engine. What their bytes are is tested in tests/formats and tests/quant.
#include <catch2/catch.hpp>
#include <cmath>

#include "loquor/formats/quantize.hpp"
#include "temp_folder.hpp"
#include "tiny_session.hpp"

namespace {

using namespace lq;

struct Row {
  DType type;
  double error;  // of the logits, as a part of their size
};

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(a[i]), 2);
  }
  return std::sqrt(error / size);
}

}  // namespace

TEST_CASE("a file of every type loads, scores like its source and generates", "[quantize]") {
  const lq_test::TempFolder folder;
  const auto ctx = std::make_shared<Context>(lq_test::with_threads(2));
  ModelOptions reference;
  reference.compute = Compute::reference;  // fp32 arithmetic: what differs is the weights
  for (const bool tied : {false, true}) {
    lq_test::TinyModel tiny;
    tiny.tied = tied;
    lq_test::write_bytes(folder / "source.gguf", tiny.gguf());
    const lq_test::Tokens prompt = lq_test::some_tokens(40);
    const auto logits = [&](const std::string& path, const ModelOptions& options) {
      Session s(Model::load(ctx, path, options));
      s.set_prompt(prompt);
      return lq_test::logits_of(s);
    };
    const std::vector<float> want = logits(folder / "source.gguf", reference);
    // The source is Q8_0, whose values F32 holds exactly and F16 to 11 bits; uniform weights on a 4-bit grid are off by
    // about 1/30 of their range, and that grows by layers. Unrelated logits would be off by 1.4.
    for (const Row row : {Row{DType::F32, 0}, Row{DType::F16, 5e-3}, Row{DType::BF16, 5e-2}, Row{DType::Q8_0, 0},
                          Row{DType::Q4_0, 0.8}, Row{DType::Q4_1, 0.5}}) {
      INFO(name(row.type) << (tied ? ", tied" : ""));
      QuantizeOptions options;
      options.type = row.type;
      quantize_file(*ctx, folder / "source.gguf", folder / "out.gguf", options);
      const double error = difference(want, logits(folder / "out.gguf", reference));
      CHECK(error <= row.error);
      if (row.error > 0) CHECK(error > 0);
      Session s(Model::load(ctx, folder / "out.gguf"));
      s.set_prompt(prompt);
      s.start(std::nullopt, lq_test::random_options(8));
      CHECK(lq_test::run(s).tokens.size() == 8);
    }
  }
}
