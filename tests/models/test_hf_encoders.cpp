// Text encoders from Hugging Face checkpoints, against transformers (tests/goldens/make_hf_goldens.py).
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "hf_checkpoint.hpp"
#include "loquor/core/status.hpp"
#include "loquor/models/encoder.hpp"
#include "loquor/models/hf_folder.hpp"

using namespace lq;

namespace {

using Ids = std::vector<std::int32_t>;
using Row = std::vector<float>;

std::shared_ptr<const Encoder> load(const GgufFile& file, Compute compute = Compute::quantized) {
  ContextOptions o;
  o.threads.threads = 2;
  LoadOptions options;
  options.compute = compute;
  return Encoder::load(std::make_shared<Context>(o), file, options);
}

// The largest difference in units of the golden row's standard deviation.
double worst(const Row& golden, const float* row) {
  double square = 0, most = 0;
  for (std::size_t i = 0; i < golden.size(); ++i) {
    square += static_cast<double>(golden[i]) * golden[i] / static_cast<double>(golden.size());
    most = std::max(most, std::abs(static_cast<double>(golden[i]) - row[i]));
  }
  return most / std::sqrt(square);
}

Row hidden(Encoder::Pass& pass, std::size_t i) {
  const auto h = pass.hidden(i);
  return {h.data, h.data + h.rows * h.cols};
}

std::string refusal(const std::string& folder) {
  try {
    load(open_hf_folder(folder));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every encoder family agrees with transformers, alone and in a batch", "[models][per_isa]") {
  const auto goldens = lq_test::hf_goldens().at("encoders");
  for (const auto& [name, golden] : goldens.items()) {
    INFO(name);
    const lq_test::TempFolder folder;
    lq_test::write_hf_checkpoint(folder / ".", golden, true, name == "bert" ? 3 : 1);
    const auto model = load(open_hf_folder(folder / "."));
    const auto ids = golden.at("ids").get<Ids>();
    const std::size_t width = model->spec().d_model;
    Encoder::Pass pass(model, 300);
    const std::span<const std::int32_t> all(ids);
    pass.run(std::vector{all});
    const Row alone = hidden(pass, 0);
    CHECK(worst(golden.at("first"), alone.data()) < 1e-3);
    CHECK(worst(golden.at("last"), alone.data() + (ids.size() - 1) * width) < 1e-3);
    Row mean(width);
    pass.pool(0, Pooling::mean, false, mean.data());
    CHECK(worst(golden.at("mean"), mean.data()) < 1e-3);
    // The same bits between others, of other lengths.
    pass.run(std::vector{all.first(1), all.first(70), all, all.last(3)});
    CHECK(hidden(pass, 2) == alone);
    CHECK(pass.hidden(0).rows == 1);
    CHECK(pass.hidden(4).rows == 0);
  }
}

TEST_CASE("pooling takes the mean, the first or the last token, and can make vectors of length 1", "[models]") {
  const lq_test::TempFolder folder;
  lq_test::write_hf_checkpoint(folder / ".", lq_test::hf_goldens().at("encoders").at("bert"), true);
  const auto model = load(open_hf_folder(folder / "."));
  const Ids ids = {2, 30, 40, 50, 3};
  Encoder::Pass pass(model, 8);
  pass.run(std::vector{std::span<const std::int32_t>(ids)});
  const Row h = hidden(pass, 0);
  const std::size_t n = model->spec().d_model;
  Row out(n);
  pass.pool(0, Pooling::cls, false, out.data());
  CHECK(std::memcmp(out.data(), h.data(), n * sizeof(float)) == 0);
  pass.pool(0, Pooling::last, false, out.data());
  CHECK(std::memcmp(out.data(), h.data() + 4 * n, n * sizeof(float)) == 0);
  pass.pool(0, Pooling::mean, true, out.data());
  double square = 0;
  for (const float x : out) square += static_cast<double>(x) * x;
  CHECK(square == Approx(1.0));
}

TEST_CASE("an encoder refuses what it cannot take, and says what", "[models]") {
  const lq_test::TempFolder folder;
  lq_test::write_hf_checkpoint(folder / ".", lq_test::hf_goldens().at("encoders").at("bert"), true);
  const auto model = load(open_hf_folder(folder / "."));
  Encoder::Pass pass(model, 100);
  const Ids bad = {5, 128}, negative = {-1}, longest(129, 7);
  const auto run = [&](const Ids& ids) { pass.run(std::vector{std::span<const std::int32_t>(ids)}); };
  CHECK_THROWS_WITH(run(bad), Catch::Contains("token 128 is outside the vocabulary of 128"));
  CHECK_THROWS_WITH(run(negative), Catch::Contains("token -1"));
  CHECK_THROWS_WITH(run({}), Catch::Contains("a text of 0 tokens, expected 1 to 128"));
  CHECK_THROWS_WITH(run(longest), Catch::Contains("a text of 129 tokens"));
  CHECK_THROWS_WITH(run(Ids(128, 7)), Catch::Contains("more than the 100 tokens"));
  CHECK(pass.texts() == 0);
}

TEST_CASE("wrong Hugging Face folders are refused with the file and what is wrong with it", "[models]") {
  const auto golden = lq_test::hf_goldens().at("encoders").at("bert");
  const auto with = [&](const std::function<void(const std::string&, nlohmann::json&)>& change) {
    const lq_test::TempFolder folder;
    auto changed = golden;
    change(folder / ".", changed);
    lq_test::write_hf_checkpoint(folder / ".", changed, true);
    change(folder / ".", changed);
    return refusal(folder / ".");
  };
  using Json = nlohmann::json;
  CHECK(with([](auto&, Json&) {}).empty());
  CHECK(with([](auto&, Json& g) {
          g["config"]["model_type"] = "unheard-of";
        }).find("'unheard-of' is not supported (known: ") != std::string::npos);
  CHECK(with([](auto&, Json& g) { g["config"].erase("hidden_size"); }).find("key 'hidden_size' is missing") !=
        std::string::npos);
  CHECK(with([](auto&, Json& g) { g["config"]["hidden_size"] = "wide"; }).find("'hidden_size' is \"wide\"") !=
        std::string::npos);
  CHECK(with([](auto&, Json& g) {
          g["config"]["intermediate_size"] = 95;
        }).find("has shape [96, 64], expected [95, 64]") != std::string::npos);
  CHECK(with([](auto&, Json& g) { g["config"]["hidden_act"] = "relu"; }).find("activation 'relu'") !=
        std::string::npos);
  CHECK(with([](auto&, Json& g) { g["tensors"][0][0] = "odd.weight"; }).find("'odd.weight'") != std::string::npos);
  CHECK(with([](auto&, Json& g) { g["tensors"].erase(0); }).find("is missing") != std::string::npos);
  CHECK(with([](auto& f, Json&) {
          lq_test::write_bytes(f + "/tokenizer.json", "{}");
        }).find("tokenizer.json' has no object 'model'") != std::string::npos);
  CHECK(with([](auto& f, Json&) { lq_test::write_bytes(f + "/tokenizer.json", "[1"); }).find("is no JSON object") !=
        std::string::npos);
  CHECK(with([](auto& f, Json&) {
          lq_test::write_bytes(f + "/tokenizer.json", R"({"model": {"type": "Nothing", "vocab": {"a": 0}}})");
        }).find("'Nothing' is not supported") != std::string::npos);
  CHECK(with([](auto& f, Json&) {
          lq_test::write_bytes(f + "/model.safetensors", "short");
        }).find("model.safetensors") != std::string::npos);
}
