#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include "tiny_session.hpp"

using namespace lq_test;

TEST_CASE("steps under a budget give the blocking call's tokens", "[generate]") {
  const LoadedTiny tiny;
  const Tokens prompt = some_tokens(90);
  lq::Session blocking(tiny.model), stepped(tiny.model);
  blocking.start(prompt, random_options(25));
  const Said whole = run(blocking);
  for (const std::uint64_t budget : {0u, 1u, 50u, 1000u}) {
    stepped.rewind(0);
    stepped.start(prompt, random_options(25));
    const Said parts = run(stepped, budget);
    INFO("budget " << budget);
    CHECK(parts.tokens == whole.tokens);
    CHECK(parts.text == whole.text);
    CHECK(same_bits(logits_of(stepped), logits_of(blocking)));
  }
  stepped.rewind(0);
  stepped.start(prompt, random_options(2));
  std::size_t idle = 0;
  for (lq::Event e = stepped.step(0); e.kind == lq::EventKind::working; e = stepped.step(0)) ++idle;
  CHECK(idle > 10);  // a unit is a part of a layer, not a token
}

TEST_CASE("a stop string is found across tokens, and nothing of it is streamed", "[generate]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  s.feed(byte_tokens("x"));
  lq::GenerateOptions o = scripted(byte_tokens("one EN two END three"), 1);
  o.stop = {"END", "never"};
  s.start(std::nullopt, o);
  const Said said = run(s);
  CHECK(said.finish == lq::Finish::stop);
  CHECK(said.text == "one EN two ");
  CHECK(s.output() == said.text);
  CHECK(said.tokens.size() == 14);
}

TEST_CASE("text held back for a stop string comes at the end if none followed", "[generate]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  s.feed(byte_tokens("x"));
  lq::GenerateOptions o = scripted(byte_tokens("abcEN"), 1);
  o.stop = {"END"};
  s.start(std::nullopt, o);
  const Said said = run(s);
  CHECK(said.finish == lq::Finish::length);
  CHECK(said.pieces == std::vector<std::string>{"a", "b", "c", "EN"});
}

TEST_CASE("streamed pieces are never half a character", "[generate]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  s.feed(byte_tokens("x"));
  s.start(std::nullopt, scripted(byte_tokens("\xc3\xa9\xf0\x9f\x99\x82"), 1));
  CHECK(run(s).pieces == std::vector<std::string>{"\xc3\xa9", "\xf0\x9f\x99\x82"});
}

TEST_CASE("stop tokens and the end of generation end it without being part of it", "[generate]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  s.feed(byte_tokens("x"));
  lq::GenerateOptions o = scripted(byte_tokens("abc"), 1);
  o.stop_tokens = {byte_token('c')};
  s.start(std::nullopt, o);
  Said said = run(s);
  CHECK(said.finish == lq::Finish::stop);
  CHECK(said.text == "ab");
  s.rewind(1);
  o = scripted({byte_token('a'), 2, byte_token('b')}, 1);
  o.ignore_end = false;
  s.start(std::nullopt, o);
  said = run(s);
  CHECK(said.finish == lq::Finish::end);
  CHECK(said.text == "a");
  CHECK(s.tokens().size() == 2);
}

TEST_CASE("what a stage throws ends the generation and leaves the session usable", "[generate]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  lq::GenerateOptions o;
  o.sampler.add([](std::span<lq::Candidate>, std::span<const std::int32_t>) -> std::size_t { throw 42; });
  s.start(some_tokens(9), o);
  CHECK_THROWS_AS(s.step(), int);
  CHECK(run(s).finish == lq::Finish::callback);
  CHECK(same_bits(logits_of(s), fresh_logits(tiny, some_tokens(9))));
}

TEST_CASE("logprobs are those of the model's own distribution, whatever the sampler does", "[generate]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  s.feed(some_tokens(12));
  const auto logits = logits_of(s);
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x));
  lq::GenerateOptions o = random_options(1);
  o.sampler.set_bias(17, 50.0f);
  o.logprobs = 5;
  s.start(std::nullopt, o);
  const lq::Event e = s.step();
  CHECK(e.token == 17);
  CHECK(static_cast<double>(e.logprob) == Approx(static_cast<double>(logits[17]) - std::log(sum)).margin(1e-5));
  REQUIRE(e.top.size() == 5);
  auto sorted = logits;
  std::sort(sorted.rbegin(), sorted.rend());
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(static_cast<double>(e.top[i].logprob) == Approx(static_cast<double>(sorted[i]) - std::log(sum)).margin(1e-5));
}
