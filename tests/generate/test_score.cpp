#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "loquor/generate/prefix_cache.hpp"
#include "test_data.hpp"
#include "tiny_session.hpp"

using namespace lq_test;
using lq::Code;

namespace {

// ln softmax(row)[token], in double.
double in_double(std::span<const float> logits, std::int32_t token) {
  double top = -1e300, sum = 0;
  for (const float x : logits) top = std::max(top, static_cast<double>(x));
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - top);
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - top - std::log(sum);
}

// What eval() says of tokens[1..].
std::vector<double> by_eval(const LoadedTiny& tiny, const Tokens& tokens) {
  lq::Session s(tiny.model);
  std::vector<double> out;
  s.eval(tokens, [&](std::size_t position, std::span<const float> logits) {
    if (position + 1 < tokens.size()) out.push_back(in_double(logits, tokens[position + 1]));
    return true;
  });
  return out;
}

std::vector<double> tail(const std::vector<double>& v, std::size_t n) {
  return {v.end() - static_cast<long>(n), v.end()};
}

std::vector<float> some_logits(lq::Session& s, const Tokens& ids) {
  std::vector<float> out(ids.size());
  s.logits_of(std::nullopt, ids, out);
  return out;
}

std::vector<float> picked(const std::vector<float>& logits, const Tokens& ids) {
  std::vector<float> out;
  for (const std::int32_t id : ids) out.push_back(logits[static_cast<std::size_t>(id)]);
  return out;
}

}  // namespace

TEST_CASE("a text's score is what the logits after each token say, cut up in any way", "[generate][score]") {
  const LoadedTiny tiny({}, with_threads(3));
  const Tokens tokens = some_tokens(150);
  lq::Session whole(tiny.model);
  const std::vector<double> expected = whole.score(tokens);
  const std::vector<double> reference = by_eval(tiny, tokens);
  REQUIRE(expected.size() == 149);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(expected[i] == Approx(reference[i]).margin(2e-6));
  CHECK(whole.tokens() == tokens);
  CHECK(same_bits(logits_of(whole), fresh_logits(tiny, tokens)));

  for (const std::size_t chunk : {1u, 7u, 64u}) {
    lq::SessionOptions o;
    o.prefill_chunk = chunk;
    lq::Session s(tiny.model, o);
    CHECK(s.score(tokens) == expected);
    s.rewind(0);
    CHECK(s.score(tokens, 100) == tail(expected, 50));
    s.rewind(0);
    CHECK(s.score(tokens, 150).empty());
    CHECK(same_bits(logits_of(s), fresh_logits(tiny, tokens)));
  }
  // Piece by piece: with the logits at hand before a piece, and without.
  for (const bool ready : {false, true}) {
    lq::Session s(tiny.model);
    std::vector<double> got;
    for (std::size_t at = 0; at < tokens.size(); at += 11) {
      if (ready && at > 0) s.logits();
      const auto part = s.score(std::span(tokens).subspan(at, std::min<std::size_t>(11, tokens.size() - at)));
      got.insert(got.end(), part.begin(), part.end());
    }
    CHECK(got == expected);
  }
  for (const unsigned threads : {1u, 2u}) {
    const LoadedTiny other({}, with_threads(threads));
    lq::Session s(other.model);
    CHECK(s.score(tokens) == expected);
  }
}

TEST_CASE("continuations are scored one after the other from the same prompt", "[generate][score]") {
  const LoadedTiny tiny;
  const Tokens prompt = some_tokens(90);
  lq::Session s(tiny.model);
  s.set_prompt(prompt);
  for (std::uint64_t i = 0; i < 5; ++i) {
    const Tokens more = some_tokens(1 + i, i);
    Tokens all = prompt;
    all.insert(all.end(), more.begin(), more.end());
    lq::Session fresh(tiny.model);
    const auto expected = tail(fresh.score(all), more.size());
    CHECK(s.score(more) == expected);
    CHECK(s.tokens() == all);
    s.rewind(prompt.size());
  }
}

TEST_CASE("scoring that fails leaves the session as it was", "[generate][score]") {
  const LoadedTiny tiny;
  const Tokens prompt = some_tokens(40);
  lq::SessionOptions o;
  o.n_ctx = 60;
  lq::Session s(tiny.model, o);
  s.set_prompt(prompt);
  const auto before = logits_of(s);
  CHECK(code_of([&] { s.score(some_tokens(21)); }) == Code::context_full);
  CHECK(code_of([&] { s.score(Tokens{5, -1}); }) == Code::invalid_argument);
  const std::atomic<bool> set{true};
  CHECK(code_of([&] { s.score(some_tokens(5), 0, &set); }) == Code::cancelled);
  s.cancel();
  CHECK(code_of([&] { s.score(some_tokens(5)); }) == Code::cancelled);
  CHECK(s.tokens() == prompt);
  CHECK(same_bits(logits_of(s), before));
  CHECK(s.score({}).empty());
  CHECK(s.score(some_tokens(20)).size() == 20);  // full to the last position
}

TEST_CASE("the logits of some tokens are those of the whole row", "[generate][score]") {
  for (const unsigned threads : {1u, 3u}) {
    const LoadedTiny tiny({}, with_threads(threads));
    const Tokens prompt = some_tokens(100), ids = {byte_token('D'), byte_token('A'), 266, 0, byte_token('A')};
    const auto full = fresh_logits(tiny, prompt);
    for (const std::size_t chunk : {0u, 1u, 33u}) {
      lq::SessionOptions o;
      o.prefill_chunk = chunk;
      lq::Session s(tiny.model, o);
      std::vector<float> out(ids.size());
      CHECK(s.logits_of(prompt, ids, out) == 0);
      CHECK(same_bits(out, picked(full, ids)));
      CHECK(s.tokens() == prompt);
      CHECK(same_bits(some_logits(s, some_tokens(200, 3)), picked(full, some_tokens(200, 3))));
      CHECK(same_bits(logits_of(s), full));
      CHECK(same_bits(some_logits(s, ids), picked(full, ids)));
      // The same beginning again, another end.
      Tokens other = prompt;
      other.back() = 5;
      CHECK(s.logits_of(other, ids, out) == 99);
      CHECK(same_bits(out, picked(fresh_logits(tiny, other), ids)));
      s.start(std::nullopt, random_options(3));
      const Tokens said = run(s).tokens;
      lq::Session plain(tiny.model);
      plain.start(other, random_options(3));
      CHECK(run(plain).tokens == said);
    }
  }
}

TEST_CASE("logits of some tokens: wrong calls and cancelled ones", "[generate][score]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  std::vector<float> out(3);
  const Tokens ids = {1, 2, 3}, prompt = some_tokens(50);
  CHECK(code_of([&] { s.logits_of(std::nullopt, ids, out); }) == Code::invalid_argument);
  CHECK(code_of([&] { s.logits_of(Tokens{}, ids, out); }) == Code::invalid_argument);
  CHECK(code_of([&] { s.logits_of(prompt, Tokens{}, out); }) == Code::invalid_argument);
  CHECK(code_of([&] { s.logits_of(prompt, Tokens{1, 267, 2}, out); }) == Code::invalid_argument);
  CHECK(code_of([&] { s.logits_of(prompt, ids, std::span(out).first(2)); }) == Code::invalid_argument);
  CHECK(s.tokens().empty());
  s.cancel();
  CHECK(code_of([&] { s.logits_of(prompt, ids, out); }) == Code::cancelled);
  CHECK(s.logits_of(prompt, ids, out) == 0);
  CHECK(same_bits(out, picked(fresh_logits(tiny, prompt), ids)));
}

TEST_CASE("scores and logits of some tokens are the same with a prefix cache", "[generate][score][prefix]") {
  const LoadedTiny tiny;
  const auto cache = std::make_shared<lq::PrefixCache>(tiny.model, std::size_t{1} << 30);
  const Tokens tokens = some_tokens(200), ids = {9, 200};
  lq::Session plain(tiny.model);
  const auto expected = plain.score(tokens, 140);
  for (int round = 0; round < 2; ++round) {
    lq::Session s(tiny.model);
    s.use_prefix_cache(cache);
    CHECK(s.score(tokens, 140) == expected);
    lq::Session q(tiny.model);
    q.use_prefix_cache(cache);
    std::vector<float> out(2);
    CHECK(q.logits_of(tokens, ids, out) == 192);
    CHECK(same_bits(out, picked(fresh_logits(tiny, tokens), ids)));
  }
  CHECK(cache->stats().entries == 3);
}

TEST_CASE("the default model's scores and answers are those of its logits", "[generate][score]") {
  LQ_NEED_FILE(model_path());
  const auto model = lq::Model::load(std::make_shared<lq::Context>(), model_path());
  Tokens prompt;
  for (std::int32_t i = 0; i < 80; ++i) prompt.push_back(500 + i * 37);
  lq::Session plain(model), some(model), text(model);
  plain.set_prompt(prompt);
  const auto full = logits_of(plain);
  const Tokens ids = {49151, 330, 389, 340, 0, 20000};
  std::vector<float> out(ids.size());
  some.logits_of(prompt, ids, out);
  CHECK(same_bits(out, picked(full, ids)));
  plain.rewind(0);
  std::vector<double> expected;
  plain.eval(prompt, [&](std::size_t position, std::span<const float> logits) {
    if (position + 1 < prompt.size()) expected.push_back(in_double(logits, prompt[position + 1]));
    return true;
  });
  const auto got = text.score(prompt);
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(2e-6));
}
