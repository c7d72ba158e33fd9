// Each architecture against transformers, on tiny random models (tests/goldens/make_family_goldens.py).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "family_run.hpp"
#include "loquor/core/checksum.hpp"
#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/models/decoder.hpp"
#include "tiny_model.hpp"

using namespace lq;

namespace {

using lq_test::Ids;
using lq_test::last_row_in_batch;
using lq_test::Row;
using lq_test::run;
using lq_test::worst;

std::shared_ptr<const Decoder> load(const std::string& bytes, Compute compute) {
  return lq_test::load_decoder(GgufFile::from_memory(bytes.data(), bytes.size(), "tiny"), compute);
}

std::string refusal(const lq_test::TinyModel& model) {
  try {
    load(model.gguf(), Compute::quantized);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

nlohmann::json goldens() {
  return nlohmann::json::parse(std::ifstream(std::string(LQ_SOURCE_DIR) + "/tests/goldens/families.json"));
}

}  // namespace

TEST_CASE("every family agrees with transformers in the reference mode", "[models][per_isa]") {
  const auto golden = goldens().at("models");
  const auto models = lq_test::tiny_families();
  REQUIRE(golden.size() == models.size());
  for (std::size_t i = 0; i < models.size(); ++i) {
    const std::string bytes = models[i].gguf();
    INFO(models[i].name);
    char sum[17];
    std::snprintf(sum, sizeof sum, "%016llx", static_cast<unsigned long long>(checksum(bytes.data(), bytes.size())));
    REQUIRE(golden[i].at("checksum") == sum);  // else tiny_model.hpp has changed: run make_family_goldens.py again
    const auto model = load(bytes, Compute::reference);
    const auto ids = golden[i].at("ids").get<Ids>();
    Ids greedy;
    for (const std::size_t step : {ids.size(), std::size_t{1}, std::size_t{7}, std::size_t{64}})
      CHECK(worst(golden[i], run(model, ids, step, DType::F32)) <= 1e-3);
    CHECK(worst(golden[i].at("logits").at("95").get<Row>(), last_row_in_batch(model, ids, DType::F32)) <= 1e-3);
    run(model, ids, 33, DType::F32, &greedy, 64);
    CHECK(greedy == golden[i].at("greedy").get<Ids>());
  }
}

TEST_CASE("every family stays near transformers with rounded activations and caches", "[models][per_isa]") {
  const auto golden = goldens().at("models");
  const auto models = lq_test::tiny_families();
  for (std::size_t i = 0; i < std::min(models.size(), golden.size()); ++i) {
    INFO(models[i].name);
    const auto model = load(models[i].gguf(), Compute::quantized);
    const auto ids = golden[i].at("ids").get<Ids>();
    for (const DType kv : {DType::F16, DType::Q8_0}) {
      const auto rows = run(model, ids, 40, kv);
      CHECK(worst(golden[i], rows) <= 0.15);
      CHECK(last_row_in_batch(model, ids, kv) == rows.back());
    }
  }
}

TEST_CASE("a family's biases, rotary order and rotary scaling all reach the logits", "[models]") {
  const auto golden = goldens().at("models");
  const auto models = lq_test::tiny_families();
  const auto changed = [&](std::size_t which, auto change) {
    lq_test::TinyModel m = models.at(which);
    change(m);
    const auto ids = golden.at(which).at("ids").get<Ids>();
    return worst(golden.at(which), run(load(m.gguf(), Compute::reference), ids, ids.size(), DType::F32));
  };
  CHECK(changed(0, [](auto&) {}) <= 1e-3);
  CHECK(changed(0, [](auto& m) { m.architecture = "llama"; }) > 0.1);
  CHECK(changed(0, [](auto& m) { m.qkv_bias = false; }) > 0.1);
  CHECK(changed(1, [](auto& m) { m.rope_linear = 0; }) > 0.1);
  CHECK(changed(1, [](auto& m) { m.rope_type = "none"; }) > 0.1);
  CHECK(changed(2, [](auto& m) { m.rope_llama3 = 0; }) > 0.1);
}

TEST_CASE("rotary scaling of kinds not known is refused by name", "[models]") {
  lq_test::TinyModel m = lq_test::tiny_families().at(1);
  for (const char* kind : {"su", ""}) {
    m.rope_type = kind;
    INFO(kind);
    if (*kind)
      CHECK_THAT(refusal(m), Catch::Contains(kind) && Catch::Contains("qwen2.rope.scaling.type"));
    else
      CHECK(refusal(m).empty());
  }
  for (const double factor : {1e-30, 1e30, -2.0, std::nan(""), HUGE_VAL}) {
    m.rope_linear = factor;
    m.rope_type = "linear";
    INFO(factor);
    CHECK_THAT(refusal(m), Catch::Contains("factor"));
  }
  lq_test::TinyModel llama3 = lq_test::tiny_families().at(2);
  llama3.rope_llama3 = HUGE_VAL;  // a factor of infinity, or what comes of it
  CHECK_THAT(refusal(llama3), Catch::Contains("rope_freqs.weight"));
}
