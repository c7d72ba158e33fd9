#include "loquor/models/score_head.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/models/decoder.hpp"
#include "test_data.hpp"
#include "tiny_model.hpp"

using namespace lq;

namespace {

std::shared_ptr<const Decoder> load(unsigned threads, const std::string& bytes) {
  ContextOptions o;
  o.threads.threads = threads;
  return Decoder::load(std::make_shared<Context>(o), GgufFile::from_memory(bytes.data(), bytes.size(), "tiny"));
}

std::vector<std::int32_t> random_ids(std::size_t n, std::size_t vocab, std::uint64_t seed) {
  Random rng(seed);
  std::vector<std::int32_t> ids(n);
  for (auto& id : ids) id = static_cast<std::int32_t>(rng.next() % vocab);
  return ids;
}

// One pass over all of the tokens.
std::vector<float> all_logits(const std::shared_ptr<const Decoder>& model, std::span<const std::int32_t> ids) {
  KvSequence seq(model->context(), model->kv_layout(DType::F16));
  Decoder::Pass pass(model, ids.size(), ids.size(), ids.size());
  const PassSegment segment{&seq, ids, LogitsFor::all};
  pass.begin({&segment, 1});
  pass.run();
  std::vector<float> out;
  for (std::size_t i = 0; i < ids.size(); ++i) out.insert(out.end(), pass.logits(i).begin(), pass.logits(i).end());
  return out;
}

// ln p(targets[i]) after ids[i], `step` rows at a time.
std::vector<double> scores(const std::shared_ptr<const Decoder>& model, std::span<const std::int32_t> ids,
                           std::span<const std::int32_t> targets, std::size_t step) {
  KvSequence seq(model->context(), model->kv_layout(DType::F16));
  Decoder::Pass pass(model, step, 0, ids.size(), step);
  std::vector<double> out;
  for (std::size_t at = 0; at < ids.size(); at += step) {
    const std::size_t n = std::min(step, ids.size() - at);
    const PassSegment segment{&seq, ids.subspan(at, n), LogitsFor::all};
    pass.begin({&segment, 1}, {{}, targets.subspan(at, n)});
    pass.run();
    CHECK(pass.logits_rows() == 0);
    REQUIRE(pass.logprobs().size() == n);
    out.insert(out.end(), pass.logprobs().begin(), pass.logprobs().end());
  }
  return out;
}

double in_double(std::span<const float> logits, std::int32_t token) {
  double top = -1e300, sum = 0;
  for (const float x : logits) top = std::max(top, static_cast<double>(x));
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - top);
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - top - std::log(sum);
}

void check_scores(const std::shared_ptr<const Decoder>& one, const std::shared_ptr<const Decoder>& four,
                  std::size_t rows) {
  const std::size_t n = one->spec().n_vocab;
  const auto ids = random_ids(rows, n, 5);
  auto targets = random_ids(rows, n, 6);
  targets[0] = 0;
  targets[1] = static_cast<std::int32_t>(n - 1);
  const auto logits = all_logits(one, ids);
  const auto expected = scores(one, ids, targets, rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::span<const float> row(logits.data() + i * n, n);
    CHECK(expected[i] == Approx(in_double(row, targets[i])).margin(1e-6));
    CHECK(expected[i] == log_softmax_at(one->context().kernels(), row, targets[i]));
  }
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{20}}) {
    CHECK(scores(one, ids, targets, step) == expected);
    CHECK(scores(four, ids, targets, step) == expected);
  }
}

// Runs a pass for these entries only and compares them with the full row.
void check_some(const std::shared_ptr<const Decoder>& model, std::span<const std::int32_t> ids,
                std::span<const float> full, std::span<const std::int32_t> only) {
  KvSequence seq(model->context(), model->kv_layout(DType::F16));
  Decoder::Pass pass(model, ids.size(), 1, ids.size());
  const PassSegment segment{&seq, ids, LogitsFor::last};
  pass.begin({&segment, 1}, {only, {}});
  pass.run();
  CHECK(seq.length() == ids.size());
  for (const std::int32_t id : only) {
    const auto i = static_cast<std::size_t>(id);
    CHECK(std::memcmp(&pass.logits(0)[i], &full[i], sizeof(float)) == 0);
  }
}

}  // namespace

TEST_CASE("log probabilities are those of the full logits, in any chunks and on any number of threads",
          "[models][per_isa]") {
  const std::string bytes = lq_test::TinyModel().gguf();
  check_scores(load(1, bytes), load(4, bytes), 50);
}

TEST_CASE("the default model's log probabilities are those of its full logits", "[models]") {
  const std::string path = lq_test::model_path();
  LQ_NEED_FILE(path);
  const auto file = GgufFile::open(path);
  ContextOptions one, four;
  one.threads.threads = 1;
  four.threads.threads = 4;
  check_scores(Decoder::load(std::make_shared<Context>(one), file),
               Decoder::load(std::make_shared<Context>(four), file), 40);
}

TEST_CASE("a head restricted to some tokens gives the bits of the full one", "[models][per_isa]") {
  for (const unsigned threads : {1u, 3u}) {
    const auto model = load(threads, lq_test::TinyModel().gguf());
    const std::size_t n = model->spec().n_vocab;
    const auto ids = random_ids(30, n, 8);
    const auto logits = all_logits(model, ids);
    const std::span<const float> full(logits.data() + 29 * n, n);
    check_some(model, ids, full, std::vector<std::int32_t>{35, 36, 37, 38});
    check_some(model, ids, full, std::vector<std::int32_t>{static_cast<std::int32_t>(n - 1), 0, 0, 250});
    check_some(model, ids, full, random_ids(1000, n, 9));
  }
}

TEST_CASE("a restricted head computes its panels and not the rest", "[models]") {
  const std::string path = lq_test::model_path();
  LQ_NEED_FILE(path);
  const auto model = Decoder::load(std::make_shared<Context>(), GgufFile::open(path));
  const auto ids = random_ids(3, model->spec().n_vocab, 8);
  const auto logits = all_logits(model, ids);
  const std::span<const float> full(logits.data() + 2 * model->spec().n_vocab, model->spec().n_vocab);
  KvSequence seq(model->context(), model->kv_layout(DType::F16));
  Decoder::Pass pass(model, 3, 1, 64);
  const auto run = [&](std::span<const std::int32_t> only) {
    seq.truncate(0);
    const PassSegment segment{&seq, ids, LogitsFor::last};
    pass.begin({&segment, 1}, {only, {}});
    pass.run();
    std::size_t right = 0;
    for (std::size_t i = 0; i < full.size(); ++i) right += pass.logits(0)[i] == full[i];
    return right;
  };
  const std::int32_t few[] = {40000, 17, 40001};
  CHECK(run(few) <= 64);  // two panels of 16, and what is equal by chance
  CHECK(run(random_ids(5000, full.size(), 3)) > 30000);
  CHECK(run({}) == full.size());
  CHECK(run(few) == full.size());  // left from before
  for (const std::int32_t id : few) check_some(model, ids, full, {&id, 1});
}

TEST_CASE("what cannot be scored is refused and changes nothing", "[models]") {
  const auto model = load(1, lq_test::TinyModel().gguf());
  const auto ids = random_ids(4, model->spec().n_vocab, 2);
  KvSequence seq(model->context(), model->kv_layout(DType::F16));
  Decoder::Pass pass(model, 8, 1, 64, 3);
  const PassSegment all{&seq, ids, LogitsFor::all}, last{&seq, ids, LogitsFor::last},
      three{&seq, std::span(ids).first(3), LogitsFor::all};
  const std::int32_t good[] = {1, 2, 3, 4}, bad[] = {1, -1, 3};
  const auto refused = [&](const PassSegment& s, HeadChoice choice) {
    CHECK_THROWS_AS(pass.begin({&s, 1}, choice), Error);
    CHECK(seq.length() == 0);
    CHECK(seq.page_count() == 0);
  };
  refused(all, {{}, good});                          // four rows, room for three
  refused(three, {{}, good});                        // a target too many
  refused(three, {{}, bad});                         // no such token
  refused(last, {bad, {}});                          //
  refused(three, {good, std::span(good).first(3)});  // both
  pass.begin({&three, 1}, {{}, std::span(good).first(3)});
  pass.run();
  CHECK(pass.logprobs().size() == 3);
  pass.begin({&last, 1});
  CHECK(pass.logprobs().empty());
  pass.run();
  CHECK(pass.logits_rows() == 1);
}
