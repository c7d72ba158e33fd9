// Attention scores: of the tiny models by their properties, of the default one against transformers.
#include "loquor/models/attention_scores.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"
#include "test_data.hpp"
#include "tiny_model.hpp"

using namespace lq;

namespace {

std::shared_ptr<const Context> context(unsigned threads) {
  ContextOptions o;
  o.threads.threads = threads;
  return std::make_shared<Context>(o);
}

struct Scores {
  std::size_t heads, t;
  std::vector<float> values;
  float at(std::size_t layer, std::size_t head, std::size_t i, std::size_t j) const {
    return values[((layer * heads + head) * t + i) * t + j];
  }
};

Scores scores(const std::shared_ptr<const Decoder>& model, const std::vector<std::int32_t>& ids, std::size_t first,
              std::size_t n) {
  Scores s{model->spec().n_head, ids.size(), {}};
  s.values.resize(n * s.heads * s.t * s.t);
  attention_scores(model, ids, first, n, s.values.data());
  return s;
}

}  // namespace

TEST_CASE("attention scores of a language model are weights of what a token sees", "[attention]") {
  const std::string bytes = lq_test::TinyModel().gguf();
  const auto load = [&](unsigned threads) {
    return Decoder::load(context(threads), GgufFile::from_memory(bytes.data(), bytes.size(), "tiny"));
  };
  const auto model = load(2);
  const std::vector<std::int32_t> ids = {5, 9, 2, 40, 41, 7, 12};
  const std::size_t layers = model->spec().n_layer;
  const Scores all = scores(model, ids, 0, layers);
  for (std::size_t r = 0; r < layers * all.heads * all.t; ++r) {
    double sum = 0;
    for (std::size_t j = 0; j < all.t; ++j) {
      const float p = all.values[r * all.t + j];
      CHECK((p >= 0 && p <= 1));
      if (j > r % all.t) CHECK(p == 0);
      sum += static_cast<double>(p);
    }
    CHECK(sum == Approx(1).margin(1e-6));
  }
  CHECK(all.at(0, 0, 0, 0) == 1);
  const Scores last = scores(model, ids, layers - 1, 1);
  CHECK(std::equal(last.values.begin(), last.values.end(),
                   all.values.end() - static_cast<std::ptrdiff_t>(last.values.size())));
  // Later tokens change nothing of what those before them see, and threads nothing at all.
  const Scores shorter = scores(load(1), {5, 9, 2, 40}, 0, layers);
  for (std::size_t l = 0; l < layers; ++l)
    for (std::size_t h = 0; h < all.heads; ++h)
      for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j) CHECK(shorter.at(l, h, i, j) == Approx(all.at(l, h, i, j)).margin(1e-6));
}

TEST_CASE("attention scores refuse layers and texts that are none", "[attention]") {
  const std::string bytes = lq_test::TinyModel().gguf();
  const auto model = Decoder::load(context(1), GgufFile::from_memory(bytes.data(), bytes.size(), "tiny"));
  std::vector<float> out(1 << 16);
  const auto refused = [&](std::vector<std::int32_t> ids, std::size_t first, std::size_t n) {
    try {
      attention_scores(model, ids, first, n, out.data());
    } catch (const Error& e) {
      return e.code() == Code::invalid_argument;
    }
    return false;
  };
  CHECK(refused({}, 0, 1));
  CHECK(refused({1, 2}, model->spec().n_layer, 1));
  CHECK(refused({1, 2}, 0, model->spec().n_layer + 1));
  CHECK(refused({1, 2}, 0, 0));
  CHECK(refused({1, -2}, 0, 1));
  CHECK(refused(std::vector<std::int32_t>(kMaxWatchedTokens + 1, 1), 0, 1));
}

TEST_CASE("the default model's attention scores are those of transformers", "[attention]") {
  const std::string path = lq_test::model_path();
  LQ_NEED_FILE(path);
  std::ifstream f(std::string(LQ_SOURCE_DIR) + "/tests/goldens/attention.json");
  const auto golden = nlohmann::json::parse(f);
  const auto ids = golden["ids"].get<std::vector<std::int32_t>>();
  LoadOptions reference;
  reference.compute = Compute::reference;
  for (const auto& [options, margin] : {std::pair{reference, 1e-4}, std::pair{LoadOptions{}, 0.05}}) {
    const auto model = Decoder::load(context(2), GgufFile::open(path), options);
    for (const auto& layer : golden["layers"]) {
      const Scores s = scores(model, ids, layer["layer"], 1);
      const auto rows = layer["scores"].get<std::vector<float>>();  // of each head the lower triangle
      double worst = 0;
      std::size_t at = 0;
      for (std::size_t h = 0; h < s.heads; ++h)
        for (std::size_t i = 0; i < s.t; ++i)
          for (std::size_t j = 0; j <= i; ++j)
            worst = std::max(worst, std::abs(static_cast<double>(s.at(0, h, i, j)) - static_cast<double>(rows[at++])));
      CHECK(at == rows.size());
      INFO("layer " << layer["layer"]);
      CHECK(worst <= margin);
    }
  }
}
