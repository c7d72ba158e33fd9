#include "loquor/models/decoder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "loquor/core/random.hpp"
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

std::shared_ptr<const Decoder> load(const std::shared_ptr<const Context>& ctx, const std::string& bytes,
                                    LoadOptions options = {}) {
  return Decoder::load(ctx, GgufFile::from_memory(bytes.data(), bytes.size(), "tiny"), options);
}

std::vector<std::int32_t> random_ids(std::size_t n, std::size_t vocab, std::uint64_t seed) {
  Random rng(seed);
  std::vector<std::int32_t> ids(n);
  for (auto& id : ids) id = static_cast<std::int32_t>(rng.next() % vocab);
  return ids;
}

// Logits after every token, reading the prompt in pieces of `step`.
std::vector<float> all_logits(const std::shared_ptr<const Decoder>& model, std::span<const std::int32_t> ids,
                              std::size_t step, DType kv_type = DType::F16) {
  KvSequence seq(model->context(), model->kv_layout(kv_type));
  Decoder::Pass pass(model, std::min(step, ids.size()), std::min(step, ids.size()), ids.size());
  std::vector<float> out;
  for (std::size_t at = 0; at < ids.size(); at += step) {
    const PassSegment segment{&seq, ids.subspan(at, std::min(step, ids.size() - at)), LogitsFor::all};
    pass.begin({&segment, 1});
    pass.run();
    for (std::size_t i = 0; i < pass.logits_rows(); ++i)
      out.insert(out.end(), pass.logits(i).begin(), pass.logits(i).end());
  }
  CHECK(seq.length() == ids.size());
  return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Agreement {
  double kl = 0, worst = 0;
  std::size_t same = 0, count = 0;
};

// Compares logits with a golden row: the 64 best with their logits, and the log-sum-exp of all.
void compare(Agreement& a, const nlohmann::json& golden, const float* logits, std::size_t n) {
  double top = -1e30, sum = 0;
  for (std::size_t i = 0; i < n; ++i) top = std::max(top, static_cast<double>(logits[i]));
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(logits[i]) - top);
  const double lse = top + std::log(sum);
  double p_rest = 1, q_rest = 1, kl = 0;
  for (std::size_t i = 0; i < golden["ids"].size(); ++i) {
    const auto id = golden["ids"][i].get<std::size_t>();
    const double lp = golden["logits"][i].get<double>() - golden["lse"].get<double>(),
                 lq = static_cast<double>(logits[id]) - lse;
    kl += std::exp(lp) * (lp - lq);
    p_rest -= std::exp(lp);
    q_rest -= std::exp(lq);
    a.worst = std::max(a.worst, std::abs(golden["logits"][i].get<double>() - static_cast<double>(logits[id])));
  }
  if (p_rest > 1e-9 && q_rest > 1e-9) kl += p_rest * std::log(p_rest / q_rest);
  a.kl += kl;
  a.same +=
      golden["ids"][0].get<std::size_t>() == static_cast<std::size_t>(std::max_element(logits, logits + n) - logits);
  ++a.count;
}

Agreement agreement(const std::shared_ptr<const Decoder>& model, std::size_t longest, DType kv_type) {
  std::ifstream f(std::string(LQ_SOURCE_DIR) + "/tests/goldens/logits.json");
  const auto golden = nlohmann::json::parse(f);
  const std::size_t n = model->spec().n_vocab;
  Agreement a;
  for (const auto& c : golden["cases"]) {
    const auto ids = c["ids"].get<std::vector<std::int32_t>>();
    if (ids.size() > longest) continue;
    const auto logits = all_logits(model, ids, 64, kv_type);
    for (std::size_t i = 0; i < c["at"].size(); ++i)
      compare(a, c["reference"][i], logits.data() + c["at"][i].get<std::size_t>() * n, n);
  }
  return a;
}

}  // namespace

TEST_CASE("the default model agrees with transformers in fp32", "[decoder]") {
  const std::string path = lq_test::model_path();
  LQ_NEED_FILE(path);
  const auto model = Decoder::load(context(2), GgufFile::open(path));
  const Agreement a = agreement(model, 512, DType::F16);
  INFO("mean KL " << a.kl / static_cast<double>(a.count) << ", top-1 " << a.same << " of " << a.count);
  CHECK(a.count >= 180);
  CHECK(a.kl / static_cast<double>(a.count) <= 1e-3);
  CHECK(static_cast<double>(a.same) >= 0.98 * static_cast<double>(a.count));
}

TEST_CASE("the reference mode agrees with transformers in fp32 to a thousandth", "[decoder]") {
  const std::string path = lq_test::model_path();
  LQ_NEED_FILE(path);
  LoadOptions options;
  options.compute = Compute::reference;
  const auto model = Decoder::load(context(2), GgufFile::open(path), options);
  const Agreement a = agreement(model, 100, DType::F32);
  CHECK(a.count >= 60);
  CHECK(a.worst <= 1e-3);
  CHECK(a.same == a.count);
}

TEST_CASE("logits have the same bits on any number of threads and in any chunks", "[decoder][per_isa]") {
  const std::string bytes = lq_test::TinyModel().gguf();
  const auto model = load(context(1), bytes);
  const auto ids = random_ids(150, model->spec().n_vocab, 3);
  for (DType kv : {DType::F16, DType::Q8_0, DType::F32}) {
    if (kv == DType::Q8_0 && model->spec().head_dim % 32) continue;
    const auto expected = all_logits(model, ids, ids.size(), kv);
    for (unsigned threads : {1u, 2u, 4u})
      for (std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{64}})
        CHECK(same_bits(all_logits(load(context(threads), bytes), ids, step, kv), expected));
  }
}

TEST_CASE("the default model's logits have the same bits on any number of threads and in any chunks", "[decoder]") {
  const std::string path = lq_test::model_path();
  LQ_NEED_FILE(path);
  const auto file = GgufFile::open(path);
  const auto one = Decoder::load(context(1), file), four = Decoder::load(context(4), file);
  const auto ids = random_ids(140, one->spec().n_vocab, 9);
  const auto expected = all_logits(one, ids, ids.size());
  CHECK(same_bits(all_logits(four, ids, 33), expected));
  const std::span<const std::int32_t> few(ids.data(), 20);
  CHECK(same_bits(all_logits(four, few, 1),
                  {expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(20 * one->spec().n_vocab)}));
}

TEST_CASE("a sequence in a batch of eight gets the logits it gets alone", "[decoder][per_isa]") {
  const auto model = load(context(2), lq_test::TinyModel().gguf());
  const std::size_t n = model->spec().n_vocab;
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<KvSequence> seqs;
  std::vector<PassSegment> segments;
  for (std::size_t i = 0; i < 8; ++i) {
    ids.push_back(random_ids(1 + 9 * i, n, i));
    seqs.emplace_back(model->context(), model->kv_layout(DType::F16));
  }
  for (std::size_t i = 0; i < 8; ++i) segments.push_back({&seqs[i], ids[i], LogitsFor::last});
  Decoder::Pass pass(model, 512, 8, 512);
  pass.begin(segments);
  pass.run();
  for (std::size_t i = 0; i < 8; ++i) {
    const auto alone = all_logits(model, ids[i], 5);
    CHECK(std::memcmp(pass.logits(i).data(), alone.data() + (ids[i].size() - 1) * n, n * sizeof(float)) == 0);
  }
}

TEST_CASE("an abandoned pass leaves its sequences as they were", "[decoder]") {
  const auto model = load(context(2), lq_test::TinyModel().gguf());
  const auto ids = random_ids(40, model->spec().n_vocab, 1);
  KvSequence seq(model->context(), model->kv_layout(DType::F16));
  Decoder::Pass pass(model, 64, 64, 64);
  const PassSegment first{&seq, std::span(ids).first(20), LogitsFor::last},
      second{&seq, std::span(ids).last(20), LogitsFor::last};
  pass.begin({&first, 1});
  pass.run();
  pass.begin({&second, 1});
  pass.advance();
  pass.abandon();
  CHECK(seq.length() == 20);
  pass.begin({&second, 1});
  pass.run();
  const std::vector<float> got(pass.logits(0).begin(), pass.logits(0).end());
  const auto expected = all_logits(model, ids, 40);
  CHECK(std::memcmp(got.data(), expected.data() + 39 * got.size(), got.size() * sizeof(float)) == 0);
  const std::int32_t wrong[] = {-1};
  const PassSegment bad{&seq, wrong, LogitsFor::last};
  CHECK_THROWS_AS(pass.begin({&bad, 1}), Error);
  CHECK(seq.length() == 40);
}

TEST_CASE("models that cannot be are refused by name", "[decoder]") {
  const auto ctx = context(1);
  const auto message = [&](const std::string& bytes) {
    try {
      load(ctx, bytes);
      return std::string();
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  const std::string good = lq_test::TinyModel().gguf();
  const auto with = [&](const std::string& key, std::uint32_t value) {  // a u32 of the metadata changed
    std::string bytes = good;
    const std::size_t at = bytes.find(key);
    REQUIRE(at != std::string::npos);
    std::memcpy(bytes.data() + at + key.size() + 4, &value, 4);
    return bytes;
  };
  CHECK(message(good).empty());
  lq_test::TinyModel other;
  other.architecture = "mamba9";
  CHECK_THAT(message(other.gguf()), Catch::Contains("mamba9") && Catch::Contains("llama"));
  for (const char* key : {"llama.attention.head_count", "llama.block_count", "llama.context_length",
                          "llama.embedding_length", "llama.feed_forward_length"})
    for (std::uint32_t value : {0u, 3u, 1u << 31, ~0u}) {
      if (value == 3 && key == std::string("llama.context_length")) continue;  // a short context is a good one
      if (value == 1u << 31 && key == std::string("llama.context_length")) continue;
      INFO(key << " = " << value);
      const std::string what = message(with(key, value));
      CHECK(what.size() > 10);
    }
  CHECK_THAT(message(with("llama.attention.head_count", 0)), Catch::Contains("head_count"));
  CHECK_THAT(message(with("llama.embedding_length", 96)), Catch::Contains("expected ["));
  // A layer more is declared than there are tensors for.
  CHECK_THAT(message(with("llama.block_count", 3)), Catch::Contains("blk.2."));
}

TEST_CASE("loading reports progress, can be stopped and keeps to its cap", "[decoder]") {
  const std::string bytes = lq_test::TinyModel().gguf();
  const auto ctx = context(2);
  LoadOptions o;
  float last = 0;
  o.progress = [&](float f) {
    CHECK(f >= last);
    last = f;
    return true;
  };
  load(ctx, bytes, o);
  CHECK(last == Approx(1.0f).margin(0.05));
  o.progress = [](float f) { return f < 0.3f; };
  CHECK_THROWS_WITH(load(ctx, bytes, o), Catch::Contains("stopped"));
  std::atomic<bool> cancel{true};
  LoadOptions c;
  c.cancel = &cancel;
  CHECK_THROWS_WITH(load(ctx, bytes, c), Catch::Contains("cancelled"));
  LoadOptions cap;
  cap.memory_cap = 1000;
  CHECK_THROWS_WITH(load(ctx, bytes, cap), Catch::Contains("1000"));
}
