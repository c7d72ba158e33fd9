// The default model: the same bits whatever the threads, the chunks and the neighbours.
#include <catch2/catch.hpp>

#include <algorithm>

#include "test_data.hpp"
#include "tiny_session.hpp"

using namespace lq_test;

namespace {

std::shared_ptr<const lq::Model> load(unsigned threads) {
  return lq::Model::load(std::make_shared<lq::Context>(with_threads(threads)), model_path());
}

Tokens prompt_of(const lq::Model& model) {
  std::string text;
  for (int i = 0; i < 12; ++i)
    text += "The river ran past the old mill and under the bridge, number " + std::to_string(i) + ". ";
  return model.tokenizer()->encode(text);
}

struct Outcome {
  Tokens tokens;
  std::vector<float> logits;
  bool operator==(const Outcome& o) const { return tokens == o.tokens && same_bits(logits, o.logits); }
};

Outcome outcome(const std::shared_ptr<const lq::Model>& model, const Tokens& prompt, std::size_t chunk = 0) {
  lq::SessionOptions so;
  so.n_ctx = 512;
  so.prefill_chunk = chunk;
  lq::Session s(model, so);
  s.start(prompt, random_options(12));
  Outcome o;
  o.tokens = run(s).tokens;
  o.logits = logits_of(s);
  return o;
}

}  // namespace

TEST_CASE("the default model gives the same bits for any threads, chunks and batch", "[generate]") {
  LQ_NEED_FILE(model_path());
  const auto model = load(1);
  const Tokens prompt = prompt_of(*model);
  REQUIRE(prompt.size() > 128);
  const Outcome expected = outcome(model, prompt);
  for (const std::size_t chunk : {1u, 5u, 16u, 100u}) {
    INFO("chunks of " << chunk);
    CHECK(outcome(model, prompt, chunk) == expected);
  }
  for (const unsigned threads : {2u, 4u}) {
    INFO(threads << " threads");
    CHECK(outcome(load(threads), prompt) == expected);
  }
  SECTION("stepped under a budget") {
    lq::Session s(model);
    s.start(prompt, random_options(12));
    CHECK(run(s, 500).tokens == expected.tokens);
    CHECK(same_bits(logits_of(s), expected.logits));
  }
  SECTION("in a batch of eight") {
    std::vector<lq::Session> sessions;
    std::vector<lq::Session*> list;
    for (std::size_t i = 0; i < 8; ++i) sessions.emplace_back(model);
    for (std::size_t i = 0; i < 8; ++i) {
      Tokens own(prompt.begin(), prompt.end() - static_cast<long>(i * 9));
      sessions[i].start(own, random_options(12));
      list.push_back(&sessions[i]);
    }
    lq::Batch batch(model, 8);
    std::vector<lq::Event> events(8);
    do batch.step(list, events);
    while (std::any_of(events.begin(), events.end(), [](const lq::Event& e) { return e.kind != lq::EventKind::done; }));
    CHECK(sessions[0].output_tokens() == expected.tokens);
    CHECK(same_bits(logits_of(sessions[0]), expected.logits));
    const Tokens shorter(prompt.begin(), prompt.end() - 27);
    CHECK(sessions[3].output_tokens() == outcome(model, shorter).tokens);
  }
}
