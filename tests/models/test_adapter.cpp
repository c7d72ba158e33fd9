// LoRA adapters against PEFT (tests/goldens/make_adapter_goldens.py), from PEFT folders and GGUF files.
#include "loquor/models/adapter.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "family_run.hpp"
#include "hf_checkpoint.hpp"
#include "loquor/formats/gguf_writer.hpp"
#include "loquor/models/hf_folder.hpp"
#include "peft_folder.hpp"

using namespace lq;
using namespace lq_test;

namespace {

std::shared_ptr<const Decoder> checkpoint(const std::string& name, Compute compute = Compute::reference) {
  const TempFolder folder;
  write_hf_checkpoint(folder / ".", hf_goldens().at("decoders").at(name), false);
  return load_decoder(open_hf_folder(folder / "."), compute);
}

std::shared_ptr<const Adapter> adapter(const std::shared_ptr<const Decoder>& model, const nlohmann::json& golden) {
  const TempFolder folder;
  write_peft(folder / ".", golden);
  return Adapter::load(model, folder / ".");
}

// Logits of every token, in chunks.
std::vector<Row> run_with(const std::shared_ptr<const Decoder>& model, const Ids& ids, std::size_t step,
                          const std::vector<AdapterUse>& adapters) {
  KvSequence seq(model->context(), model->kv_layout(DType::F32));
  Decoder::Pass pass(model, step, step, ids.size());
  std::vector<Row> out;
  for (std::size_t at = 0; at < ids.size(); at += step) {
    const PassSegment segment{&seq, std::span(ids).subspan(at, std::min(step, ids.size() - at)), LogitsFor::all,
                              adapters};
    pass.begin({&segment, 1});
    pass.run();
    for (std::size_t i = 0; i < pass.logits_rows(); ++i) out.push_back(to_row(pass.logits(i)));
  }
  return out;
}

template <class Fn>
Error refused(const Fn& fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e;
  }
  FAIL("accepted");
  return Error(Code::ok, "");
}

// The value projections of `golden`, whose rows are in the same order in either kind of file.
void write_gguf(const std::string& path, const nlohmann::json& golden, const char* arch, const char* type = "adapter") {
  GgufWriter w;
  w.add_string("general.architecture", arch);
  w.add_string("general.type", type);
  w.add_string("adapter.type", "lora");
  w.add_f32("adapter.lora.alpha", golden.at("config").at("lora_alpha"));
  std::vector<std::vector<float>> data;
  for (const auto& t : golden.at("tensors")) {
    const std::string name = t[0];
    const std::size_t v = name.find(".self_attn.v_proj.lora_"), layer = name.find("layers.");
    if (v == std::string::npos) continue;
    const bool a = name[v + 23] == 'A';
    w.add_tensor("blk." + name.substr(layer + 7, v - layer - 7) + ".attn_v.weight" + (a ? ".lora_a" : ".lora_b"),
                 DType::F32, {t[1][0], t[1][1]});
    data.push_back(recipe(name, t[1][0].get<std::size_t>() * t[1][1].get<std::size_t>(), 0, 0.25f));
  }
  w.begin(path);
  for (const auto& d : data) w.write(d.data(), d.size() * sizeof(float));
  w.commit();
}

}  // namespace

TEST_CASE("adapters of PEFT give PEFT's logits", "[models][per_isa]") {
  const auto all = adapter_goldens();
  for (const auto& [name, golden] : all.at("cases").items()) {
    INFO(name);
    const std::string base = golden.at("checkpoint");
    const auto model = checkpoint(base);
    const auto lora = adapter(model, golden);
    const auto ids = hf_goldens().at("decoders").at(base).at("ids").get<Ids>();
    CHECK(lora->targets() == golden.at("tensors").size() / 2);
    CHECK(worst(golden, run_with(model, ids, 33, {{lora, 1.0f}})) <= 1e-3);
    CHECK(worst(golden, run(model, ids, 33, DType::F32)) > 0.1);
    CHECK(run_with(model, ids, 33, {{lora, 0.0f}}) == run(model, ids, 33, DType::F32));
  }
}

TEST_CASE("adapted logits have the same bits in any chunks and in a batch with other adapters", "[models][per_isa]") {
  const auto all = adapter_goldens().at("cases");
  for (const Compute compute : {Compute::reference, Compute::quantized}) {
    const auto model = checkpoint("llama", compute);
    const auto one = adapter(model, all.at("llama, all")), two = adapter(model, all.at("llama, two"));
    const auto ids = hf_goldens().at("decoders").at("llama").at("ids").get<Ids>();
    const std::vector<AdapterUse> uses[] = {{{one, 0.5f}, {two, -1.5f}}, {}, {{two, 1.0f}}};
    std::vector<std::vector<Row>> expected;
    for (const auto& u : uses) expected.push_back(run_with(model, ids, ids.size(), u));
    CHECK(expected[0] != expected[1]);
    CHECK(expected[0] != expected[2]);
    for (std::size_t i = 0; i < 3; ++i)
      for (const std::size_t step : {1, 7}) CHECK(run_with(model, ids, step, uses[i]) == expected[i]);
    std::vector<KvSequence> seqs;
    for (int i = 0; i < 3; ++i) seqs.emplace_back(model->context(), model->kv_layout(DType::F32));
    Decoder::Pass pass(model, 3 * ids.size(), 3, ids.size());
    const std::span<const std::int32_t> text(ids);
    for (const auto& [from, to] : {std::pair<std::size_t, std::size_t>{0, 50}, {50, ids.size()}}) {
      std::vector<PassSegment> batch;
      for (std::size_t i = 0; i < 3; ++i)
        batch.push_back({&seqs[i], text.subspan(from, to - from), LogitsFor::last, uses[i]});
      pass.begin(batch);
      pass.run();
      for (std::size_t i = 0; i < 3; ++i) CHECK(to_row(pass.logits(i)) == expected[i][to - 1]);
    }
  }
}

TEST_CASE("an adapter in a GGUF file is the one in PEFT's", "[models]") {
  const TempFolder folder;
  auto golden = adapter_goldens().at("cases").at("llama, all");
  const auto model = checkpoint("llama");
  const auto ids = hf_goldens().at("decoders").at("llama").at("ids").get<Ids>();
  write_gguf(folder / "lora.gguf", golden, "llama");
  nlohmann::json values = nlohmann::json::array();
  for (const auto& t : golden.at("tensors"))
    if (t[0].get<std::string>().find("v_proj") != std::string::npos) values.push_back(t);
  golden["tensors"] = values;
  const auto gguf = Adapter::load(model, folder / "lora.gguf"), peft = adapter(model, golden);
  CHECK(gguf->fingerprint() == peft->fingerprint());
  CHECK(run_with(model, ids, 40, {{gguf, 1.0f}}) == run_with(model, ids, 40, {{peft, 1.0f}}));
}

TEST_CASE("adapters that do not belong are refused by name", "[models]") {
  const auto golden = adapter_goldens().at("cases").at("llama, all");
  const auto model = checkpoint("llama");
  const auto broken = [&](void (*change)(nlohmann::json&), Code code, const std::string& text) {
    auto changed = golden;
    change(changed);
    const Error e = refused([&] { adapter(model, changed); });
    INFO(e.what());
    CHECK(e.code() == code);
    CHECK_THAT(e.what(), Catch::Contains(text));
  };
  broken([](auto& g) { g["config"]["use_dora"] = true; }, Code::unsupported, "use_dora");
  broken([](auto& g) { g["config"]["bias"] = "all"; }, Code::unsupported, "biases");
  broken([](auto& g) { g["config"]["modules_to_save"] = {"lm_head"}; }, Code::unsupported, "modules_to_save");
  broken([](auto& g) { g["tensors"][0][0] = "base_model.model.model.layers.0.self_attn.z_proj.lora_A.weight"; },
         Code::mismatch, "z_proj");
  broken([](auto& g) { g["tensors"][0][0] = "base_model.model.model.norm.weight"; }, Code::unsupported, "norm.weight");
  broken([](auto& g) { g["tensors"][0][1][1] = 7; }, Code::mismatch, "x 7");
  broken([](auto& g) { g["tensors"].erase(0); }, Code::bad_file, "lacks its matrix A");
  broken([](auto& g) { g["tensors"] = nlohmann::json::array(); }, Code::bad_file, "changes no matrix");

  const TempFolder folder;
  write_gguf(folder / "qwen.gguf", golden, "qwen2");
  CHECK(refused([&] { Adapter::load(model, folder / "qwen.gguf"); }).code() == Code::mismatch);
  write_gguf(folder / "model.gguf", golden, "llama", "model");
  CHECK(refused([&] { Adapter::load(model, folder / "model.gguf"); }).code() == Code::bad_file);
  CHECK(refused([&] { Adapter::load(model, folder / "none.gguf"); }).code() == Code::not_found);

  const auto other = checkpoint("llama");
  const auto lora = adapter(other, golden);
  const Ids ids = {5, 6, 7};
  CHECK(refused([&] { run_with(model, ids, 3, {{lora, 1.0f}}); }).code() == Code::invalid_argument);
  CHECK(refused([&] {
          run_with(other, ids, 3, {{lora, std::numeric_limits<float>::quiet_NaN()}});
        }).code() == Code::invalid_argument);
}
