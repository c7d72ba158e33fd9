// Every family from Hugging Face checkpoints, against transformers (tests/goldens/make_hf_goldens.py): whole, token by
// token, in chunks and in a batch, 64 greedy tokens, and once more by way of a GGUF file.
#include <catch2/catch.hpp>

#include "family_run.hpp"
#include "hf_checkpoint.hpp"
#include "loquor/formats/quantize.hpp"
#include "loquor/models/hf_folder.hpp"

using namespace lq;
using namespace lq_test;

TEST_CASE("every family agrees with transformers on its checkpoints", "[models][per_isa]") {
  const auto goldens = hf_goldens().at("decoders");
  for (const auto& [name, golden] : goldens.items()) {
    INFO(name);
    const TempFolder folder;
    write_hf_checkpoint(folder / ".", golden, false);
    const GgufFile file = open_hf_folder(folder / ".");
    const auto model = load_decoder(file, Compute::reference);
    const auto ids = golden.at("ids").get<Ids>();
    // All with room for as many tokens: where rotary factors depend on it, they are the same.
    const std::size_t room = 64;
    for (const std::size_t step : {ids.size(), std::size_t{1}, std::size_t{7}, std::size_t{64}})
      CHECK(worst(golden, run(model, ids, step, DType::F32, nullptr, room)) <= 1e-3);
    CHECK(worst(golden.at("logits").at("95").get<Row>(), last_row_in_batch(model, ids, DType::F32)) <= 1e-3);
    Ids greedy;
    run(model, ids, 33, DType::F32, &greedy, 64);
    CHECK(greedy == golden.at("greedy").get<Ids>());
  }
}

TEST_CASE("every family stays near transformers with rounded weights, activations and caches", "[models][per_isa]") {
  const auto goldens = hf_goldens().at("decoders");
  for (const auto& [name, golden] : goldens.items()) {
    INFO(name);
    const TempFolder folder;
    write_hf_checkpoint(folder / ".", golden, false);
    ContextOptions o;
    o.threads.threads = 2;
    const Context context(o);
    QuantizeOptions q8;
    q8.type = DType::Q8_0;
    quantize_gguf(context, open_hf_folder(folder / "."), folder / "model.gguf", q8);
    const auto model = load_decoder(GgufFile::open(folder / "model.gguf"), Compute::quantized);
    const auto ids = golden.at("ids").get<Ids>();
    for (const DType kv : {DType::F16, DType::Q8_0}) {
      if (kv == DType::Q8_0 && model->spec().head_dim % 32) continue;
      const auto rows = run(model, ids, 40, kv);
      CHECK(worst(golden, rows) <= 0.3);
      CHECK(last_row_in_batch(model, ids, kv) == rows.back());
    }
  }
}
