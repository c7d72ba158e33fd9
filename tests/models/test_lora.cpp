// Training of adapters against torch and PEFT (tests/goldens/make_adapter_goldens.py).
#include "loquor/models/lora.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "family_run.hpp"
#include "hf_checkpoint.hpp"
#include "loquor/models/hf_folder.hpp"
#include "loquor/train/trainer.hpp"

using namespace lq;
using namespace lq_test;

namespace {

nlohmann::json case_of(const std::string& name) {
  return nlohmann::json::parse(std::ifstream(std::string(LQ_SOURCE_DIR) + "/tests/goldens/adapters.json"))
      .at("cases")
      .at(name);
}

std::shared_ptr<const Decoder> checkpoint(const std::string& name, Compute compute = Compute::reference) {
  const TempFolder folder;
  write_hf_checkpoint(folder / ".", hf_goldens().at("decoders").at(name), false);
  return load_decoder(open_hf_folder(folder / "."), compute);
}

LoraOptions options_of(const nlohmann::json& golden) {
  LoraOptions o;
  o.rank = golden.at("config").at("r");
  o.alpha = golden.at("config").at("lora_alpha");
  if (golden.at("config").at("use_rslora")) o.alpha *= std::sqrt(static_cast<float>(o.rank));
  for (const auto& t : golden.at("config").at("target_modules")) o.targets.push_back(t);
  std::sort(o.targets.begin(), o.targets.end());
  return o;
}

void fill(LoraModel& model, const nlohmann::json& golden) {
  const TempFolder folder;
  write_bytes(folder / "adapter_config.json", golden.at("config").dump());
  SafetensorsWriter w;
  for (const auto& t : golden.at("tensors")) w.add_tensor(t[0].get<std::string>(), DType::F32, {t[1][0], t[1][1]});
  w.begin(folder / "adapter_model.safetensors");
  for (const auto& t : golden.at("tensors")) {
    const auto values = recipe(t[0], t[1][0].get<std::size_t>() * t[1][1].get<std::size_t>(), 0, 0.25f);
    w.write(values.data(), values.size() * sizeof(float));
  }
  w.commit();
  model.load(folder / ".");
}

// A row of texts that follow one another; the first `ignored` targets of each do not count.
struct Rows {
  std::size_t t;
  std::vector<std::int32_t> x, y;
  Rows(const std::vector<Ids>& texts, std::size_t ignored, std::size_t padding = 0) : t(padding) {
    std::vector<std::int32_t> positions;
    for (const Ids& ids : texts) {
      t += ids.size();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        x.push_back(ids[i]);
        positions.push_back(static_cast<std::int32_t>(i));
        y.push_back(i + 1 < ids.size() && i >= ignored ? ids[i + 1] : -100);
      }
    }
    x.resize(t, 1);
    positions.resize(t, 0);
    y.resize(t, -100);
    x.insert(x.end(), positions.begin(), positions.end());
  }
};

// The loss; in training the parameters have its gradients.
double loss_of(LoraModel& model, const Rows& rows, bool train = true) {
  model.parameters().zero_grad();
  nn::Graph g(model.parameters().context(), train ? nn::Graph::Mode::train : nn::Graph::Mode::infer, 5);
  const nn::Value x = g.input({1, 2, rows.t}), y = g.input({1, rows.t});
  const nn::Value loss = model.loss(g, x, nn::Loss::cross_entropy, y, false);
  g.compile(loss);
  std::copy(rows.x.begin(), rows.x.end(), x->ids());
  std::copy(rows.y.begin(), rows.y.end(), y->ids());
  train ? g.step() : g.forward();
  return static_cast<double>(*loss->data);
}

double dot(const float* a, const float* b, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

std::vector<float> gradients(const LoraModel& model) {
  std::vector<float> out;
  for (const auto& p : model.parameters().all()) out.insert(out.end(), p->grad, p->grad + p->count);
  return out;
}

Ids ids_of(const std::string& name) { return hf_goldens().at("decoders").at(name).at("ids").get<Ids>(); }

}  // namespace

TEST_CASE("loss and gradients of LoRA are torch's and PEFT's", "[models][per_isa]") {
  for (const char* name : {"llama, all", "llama, two", "qwen2"}) {
    INFO(name);
    const auto golden = case_of(name);
    const auto model = checkpoint(golden.at("checkpoint"));
    LoraModel lora(model, options_of(golden));
    fill(lora, golden);
    const double loss = loss_of(lora, Rows({ids_of(golden.at("checkpoint"))}, 20));
    CHECK(loss == Approx(golden.at("gradients").at("loss").get<double>()).epsilon(1e-4));
    // Saved as PEFT does it the gradients have PEFT's names and order.
    for (const auto& p : lora.parameters().all()) std::copy_n(p->grad, p->count, p->value);
    const TempFolder folder;
    lora.save_peft(folder / "out", "base");
    const SafetensorsFile file =
        SafetensorsFile::open(folder / "out/adapter_model.safetensors", SafetensorsFile::Mode::read);
    const auto& expected = golden.at("gradients").at("tensors");
    CHECK(file.tensors().size() == expected.size());
    for (const auto& [tensor, numbers] : expected.items()) {
      const SafetensorsTensor* t = file.find_tensor(tensor);
      REQUIRE(t);
      std::vector<float> v(t->shape.count());
      read_floats(*t, v.data());
      const double norm = std::sqrt(dot(v.data(), v.data(), v.size()));
      const auto direction = recipe("direction " + tensor, v.size(), 0, 1);
      INFO(tensor);
      CHECK(norm == Approx(numbers[0].get<double>()).epsilon(2e-3));
      CHECK(std::abs(dot(v.data(), direction.data(), v.size()) - numbers[1].get<double>()) <=
            2e-3 * norm * std::sqrt(static_cast<double>(v.size())));
    }
  }
}

TEST_CASE("saved adapters load as what was trained", "[models]") {
  const auto golden = case_of("llama, all");
  const auto model = checkpoint("llama");
  LoraModel lora(model, options_of(golden)), other(model, options_of(golden));
  CHECK(lora.adapter()->fingerprint() == other.adapter()->fingerprint());
  fill(lora, golden);
  const TempFolder folder;
  lora.save_peft(folder / "peft", "some \"base\"");
  lora.save_gguf(folder / "lora.gguf");
  for (const char* path : {"peft", "lora.gguf"}) {
    CHECK(Adapter::load(model, folder / path)->fingerprint() == lora.adapter()->fingerprint());
    other.load(folder / path);
    for (std::size_t i = 0; i < lora.parameters().all().size(); ++i) {
      const auto &a = *lora.parameters().all()[i], &b = *other.parameters().all()[i];
      float most = 0;
      for (std::size_t k = 0; k < a.count; ++k) most = std::max(most, std::abs(a.value[k] - b.value[k]));
      CHECK(most <= 1e-6f);
    }
  }
  LoraOptions narrow = options_of(golden);
  narrow.rank = 2;
  LoraModel unlike(model, narrow);
  CHECK_THROWS_WITH(unlike.load(folder / "peft"), Catch::Contains("rank 4, the training 2"));
}

TEST_CASE("texts in one row do not see each other, and padding changes nothing", "[models][per_isa]") {
  const auto golden = case_of("llama, all");
  LoraModel lora(checkpoint("llama"), options_of(golden));
  fill(lora, golden);
  const Ids ids = ids_of("llama");
  const Ids one(ids.begin(), ids.begin() + 37), two(ids.begin() + 20, ids.begin() + 80);
  const double a = loss_of(lora, Rows({one}, 5));
  const auto ga = gradients(lora);
  const double b = loss_of(lora, Rows({two}, 5));
  const auto gb = gradients(lora);
  const double both = loss_of(lora, Rows({one, two}, 5, 9));
  const auto g = gradients(lora);
  const double na = 31, nb = 54;  // targets that count
  CHECK(both == Approx((na * a + nb * b) / (na + nb)).epsilon(1e-5));
  double error = 0, size = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double e = (na * static_cast<double>(ga[i]) + nb * static_cast<double>(gb[i])) / (na + nb);
    error += (static_cast<double>(g[i]) - e) * (static_cast<double>(g[i]) - e);
    size += e * e;
  }
  CHECK(error <= 1e-8 * size);
  CHECK(loss_of(lora, Rows({one, two}, 5, 9), false) == both);
}

TEST_CASE("int8 gradients point where the exact ones do", "[models]") {
  const auto golden = case_of("llama, all");
  const auto model = checkpoint("llama", Compute::quantized);
  LoraOptions o = options_of(golden);
  LoraModel quick(model, o);
  o.exact_gradients = true;
  LoraModel exact(model, o);
  fill(quick, golden);
  fill(exact, golden);
  CHECK(quick.nbytes() > 0);
  CHECK(exact.nbytes() == 0);
  const Rows rows({ids_of("llama")}, 20);
  CHECK(loss_of(quick, rows) == loss_of(exact, rows));
  const auto a = gradients(quick), b = gradients(exact);
  const double ab = dot(a.data(), b.data(), a.size()), aa = dot(a.data(), a.data(), a.size()),
               bb = dot(b.data(), b.data(), b.size());
  CHECK(a != b);
  CHECK(ab / std::sqrt(aa * bb) > 0.999);
}

namespace {

// Rows of the same text, shifted.
std::unique_ptr<Dataset> shifted(const Ids& ids) {
  std::vector<std::int32_t> x, y;
  for (std::size_t i = 0; i < 6; ++i) {
    const Rows r({Ids(ids.begin() + static_cast<std::ptrdiff_t>(i), ids.begin() + static_cast<std::ptrdiff_t>(i + 40))},
                 3);
    x.insert(x.end(), r.x.begin(), r.x.end());
    y.insert(y.end(), r.y.begin(), r.y.end());
  }
  return array_dataset(6, x.data(), {2, 40}, y.data(), {40});
}

}  // namespace

TEST_CASE("a trainer trains an adapter, and a run goes on where it was cut, with the same bits", "[models]") {
  LoraOptions o;
  o.rank = 4;
  o.dropout = 0.1f;
  const auto model = checkpoint("llama", Compute::quantized);
  const auto data = shifted(ids_of("llama"));
  const TempFolder folder;
  TrainOptions t;
  t.batch = 2;
  t.steps = 24;
  t.learning_rate = 0.02;
  LoraModel whole(model, o), cut(model, o);
  Trainer first(whole, t);
  const double before = first.evaluate(*data);
  first.fit(*data);
  CHECK(first.evaluate(*data) < 0.8 * before);
  t.checkpoint = folder / "run.safetensors";
  Trainer(cut, t).fit(*data, nullptr, [](const TrainProgress& p) { return p.step < 7; });
  LoraModel resumed(model, o);
  Trainer(resumed, t).fit(*data);
  CHECK(resumed.adapter()->fingerprint() == whole.adapter()->fingerprint());
  LoraOptions wider = o;
  wider.rank = 5;
  LoraModel unlike(model, wider);
  CHECK_THROWS_WITH(Trainer(unlike, t).fit(*data), Catch::Contains("belongs to another network"));
}

TEST_CASE("what cannot be trained is refused by name", "[models]") {
  const auto model = checkpoint("llama");
  LoraOptions o;
  o.targets = {"q_proj", "nose_proj"};
  CHECK_THROWS_WITH(LoraModel(model, o), Catch::Contains("'nose_proj'"));
  o.targets = {};
  o.rank = 0;
  CHECK_THROWS_WITH(LoraModel(model, o), Catch::Contains("rank 0"));
  o.rank = 2;
  o.dropout = 1;
  CHECK_THROWS_WITH(LoraModel(model, o), Catch::Contains("dropout"));
  o.dropout = 0;
  CHECK_THROWS_WITH(LoraModel(nullptr, o), Catch::Contains("no weights"));
  CHECK_THROWS_WITH(LoraModel(checkpoint("gpt2"), o), Catch::Contains("'gpt2' cannot be trained yet"));
  LoraModel lora(model, o);
  CHECK_THROWS_WITH(loss_of(lora, Rows({Ids{1, 2, 1000000}}, 0)), Catch::Contains("outside the vocabulary"));
  Rows gap({Ids{1, 2, 3}}, 0);
  gap.x[5] = 7;
  CHECK_THROWS_WITH(loss_of(lora, gap), Catch::Contains("position 7"));
}
