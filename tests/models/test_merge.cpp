// Adapters merged into model files, against PEFT (tests/goldens/make_adapter_goldens.py).
#include "loquor/models/merge.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <limits>

#include "family_run.hpp"
#include "hf_checkpoint.hpp"
#include "loquor/formats/gguf_writer.hpp"
#include "loquor/models/hf_folder.hpp"
#include "loquor/quant/rows.hpp"
#include "peft_folder.hpp"

using namespace lq;
using namespace lq_test;

namespace {

Context context() {
  ContextOptions o;
  o.threads.threads = 2;
  return Context(o);
}

struct Base {
  TempFolder folder;
  nlohmann::json golden;
  explicit Base(const std::string& name) : golden(adapter_goldens().at("cases").at(name)) {
    write_hf_checkpoint(folder / ".", hf_goldens().at("decoders").at(golden.at("checkpoint")), false);
    std::filesystem::create_directory(folder / "adapter");
    write_peft(folder / "adapter", golden);
  }
  QuantizeResult merge(const std::string& target, std::optional<DType> type, std::vector<MergePart> parts) const {
    QuantizeOptions o;
    o.type = type;
    return merge_adapters(context(), open_hf_folder(folder / "."), parts, folder / target, o);
  }
  Error refused(std::vector<MergePart> parts) const {
    try {
      merge("out.gguf", std::nullopt, std::move(parts));
    } catch (const Error& e) {
      return e;
    }
    return Error(Code::ok, "");
  }
};

}  // namespace

TEST_CASE("a merged model has PEFT's logits", "[models]") {
  const auto all = adapter_goldens();
  for (const auto& [name, golden] : all.at("cases").items()) {
    INFO(name);
    const Base base(name);
    const auto ids = hf_goldens().at("decoders").at(golden.at("checkpoint")).at("ids").get<Ids>();
    // Parts of an adapter add up.
    const QuantizeResult r =
        base.merge("merged.gguf", DType::F32, {{base.folder / "adapter", 0.75f}, {base.folder / "adapter", 0.25f}});
    CHECK(r.edited == golden.at("tensors").size() / 2);
    const auto model = load_decoder(GgufFile::open(base.folder / "merged.gguf"), Compute::reference);
    CHECK(worst(golden, run(model, ids, 33, DType::F32)) <= 1e-3);
  }
}

TEST_CASE("what is not merged keeps its bytes; what is, is rounded once from the sum", "[models]") {
  const Base base("llama, two");
  const GgufFile source = open_hf_folder(base.folder / ".");
  const QuantizeResult r = base.merge("merged.gguf", std::nullopt, {{base.folder / "adapter", 1.0f}});
  CHECK(r.converted == 0);
  const GgufFile merged = GgufFile::open(base.folder / "merged.gguf");
  std::size_t changed = 0;
  for (const GgufTensor& t : source.tensors()) {
    const GgufTensor* now = merged.find_tensor(t.name);
    REQUIRE(now);
    REQUIRE(now->type == t.type);
    const bool same = std::memcmp(now->data, t.data, t.nbytes) == 0;
    const bool meant = t.name.ends_with("attn_q.weight") || t.name.ends_with("attn_v.weight");
    CHECK(same != meant);
    changed += !same;
  }
  CHECK(changed == r.edited);
  CHECK(source.metadata().size() == merged.metadata().size());
  base.merge("nothing.gguf", std::nullopt, {{base.folder / "adapter", 0.0f}});
  const GgufFile same = GgufFile::open(base.folder / "nothing.gguf");
  for (const GgufTensor& t : source.tensors())
    CHECK(std::memcmp(same.find_tensor(t.name)->data, t.data, t.nbytes) == 0);
}

TEST_CASE("a matrix whose own type cannot be written becomes Q8_0, or F16 where rows are no multiple of 32", "[models]") {
  const Base base("llama, two");
  base.merge("q8.gguf", DType::Q8_0, {{base.folder / "adapter", 1.0f}});
  const GgufFile q8 = GgufFile::open(base.folder / "q8.gguf");
  const GgufTensor* q = q8.find_tensor("blk.0.attn_q.weight");
  REQUIRE(q);
  CHECK(q->type == (q->shape[1] % 32 ? DType::F16 : DType::Q8_0));
  // The same file again, over a source of that type: only what the adapter changes is written anew.
  const QuantizeResult again = [&] {
    QuantizeOptions o;
    o.type.reset();
    const MergePart part{base.folder / "adapter", -1.0f};
    return merge_adapters(context(), q8, {&part, 1}, base.folder / "back.gguf", o);
  }();
  CHECK(again.converted == 0);
  const GgufFile source = open_hf_folder(base.folder / "."), back = GgufFile::open(base.folder / "back.gguf");
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_v.weight"}) {
    const GgufTensor *a = source.find_tensor(name), *b = back.find_tensor(name);
    std::vector<float> x(a->shape.count()), y(x.size());
    const std::size_t cols = a->shape[1], xb = row_bytes(a->type, cols), yb = row_bytes(b->type, cols);
    float worst = 0, largest = 0;
    for (std::size_t row = 0; row < a->shape[0]; ++row) {
      decode_row(a->type, a->data + row * xb, cols, x.data() + row * cols);
      decode_row(b->type, b->data + row * yb, cols, y.data() + row * cols);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      worst = std::max(worst, std::abs(x[i] - y[i]));
      largest = std::max(largest, std::abs(x[i]));
    }
    CHECK(worst < 0.05f * largest);
    CHECK(worst > 0);
  }
}

TEST_CASE("adapters that cannot be merged are refused and leave no file", "[models]") {
  const Base base("llama, all"), other("qwen2");
  const std::string path = base.folder / "adapter";
  CHECK(base.refused({}).code() == Code::invalid_argument);
  CHECK(base.refused({{path, std::numeric_limits<float>::quiet_NaN()}}).code() == Code::invalid_argument);
  CHECK(base.refused({{base.folder / "none", 1.0f}}).code() == Code::not_found);
  auto changed = base.golden;
  changed["tensors"][0][1][1] = 7;
  write_peft(base.folder / "adapter", changed);
  const Error e = base.refused({{path, 1.0f}});
  CHECK(e.code() == Code::mismatch);
  CHECK_THAT(e.what(), Catch::Contains("x 7"));
  // A value that the type cannot hold.
  write_peft(base.folder / "adapter", base.golden);
  QuantizeOptions o;
  o.type = DType::F16;
  const MergePart huge{path, 1e9f};
  CHECK_THROWS_WITH(merge_adapters(context(), open_hf_folder(base.folder / "."), {&huge, 1}, base.folder / "out.gguf", o),
                    Catch::Contains("too large for F16") && Catch::Contains("row"));
  CHECK(!std::filesystem::exists(base.folder / "out.gguf"));
}
