#include <catch2/catch.hpp>

#include "tiny_session.hpp"

using namespace lq_test;
using lq::Code;

namespace {

Tokens alone(const LoadedTiny& tiny, const Tokens& prompt, std::uint64_t seed) {
  lq::Session s(tiny.model);
  s.start(prompt, random_options(20, seed));
  return run(s).tokens;
}

}  // namespace

TEST_CASE("sessions that join and leave a batch say what they would say alone", "[generate]") {
  const LoadedTiny tiny;
  constexpr std::size_t kSessions = 8;
  std::vector<lq::Session> sessions;
  std::vector<Tokens> prompts, said(kSessions);
  for (std::size_t i = 0; i < kSessions; ++i) {
    sessions.emplace_back(tiny.model);
    prompts.push_back(some_tokens(1 + 31 * i, i));
  }
  lq::Batch batch(tiny.model, kSessions);
  std::vector<lq::Session*> active;
  std::size_t joined = 0, finished = 0;
  for (std::size_t round = 0; finished < kSessions; ++round) {
    REQUIRE(round < 500);
    if (round % 3 == 0 && joined < kSessions) {
      sessions[joined].start(prompts[joined], random_options(20, joined));
      active.push_back(&sessions[joined++]);
    }
    std::vector<lq::Event> events(active.size());
    batch.step(active, events);
    std::vector<lq::Session*> rest;
    for (std::size_t i = 0; i < active.size(); ++i) {
      if (events[i].kind == lq::EventKind::token)
        said[static_cast<std::size_t>(active[i] - sessions.data())].push_back(events[i].token);
      if (events[i].kind == lq::EventKind::done)
        ++finished;
      else
        rest.push_back(active[i]);
    }
    active = rest;
  }
  for (std::size_t i = 0; i < kSessions; ++i) {
    INFO("session " << i);
    CHECK(said[i].size() == 20);
    CHECK(said[i] == alone(tiny, prompts[i], i));
  }
}

TEST_CASE("one session's failure or cancelling does not touch its neighbours", "[generate]") {
  const LoadedTiny tiny;
  lq::Session good(tiny.model), throwing(tiny.model), cancelled(tiny.model);
  const Tokens prompt = some_tokens(40);
  lq::GenerateOptions bad;
  bad.sampler.add(
      [](std::span<lq::Candidate>, std::span<const std::int32_t>) -> std::size_t { lq::fail(Code::limit, "enough"); });
  good.start(prompt, random_options(20, 3));
  throwing.start(prompt, bad);
  cancelled.start(prompt, random_options(20, 4));
  lq::Batch batch(tiny.model, 3);
  lq::Session* all[] = {&good, &throwing, &cancelled};
  lq::Event events[3];
  Tokens said;
  for (int round = 0; round < 60; ++round) {
    if (round == 5) cancelled.cancel();
    batch.step(all, events);
    if (events[0].kind == lq::EventKind::token) said.push_back(events[0].token);
    if (events[0].kind == lq::EventKind::done) break;
  }
  CHECK(said == alone(tiny, prompt, 3));
  CHECK(events[1].finish == lq::Finish::callback);
  CHECK(events[2].finish == lq::Finish::cancelled);
  CHECK(good.result().finish == lq::Finish::length);
}

TEST_CASE("a batch refuses strangers, doubles and sessions that were not started", "[generate]") {
  const LoadedTiny tiny, other;
  lq::Session a(tiny.model), b(tiny.model), stranger(other.model);
  a.start(some_tokens(4), random_options(3));
  stranger.start(some_tokens(4), random_options(3));
  lq::Batch batch(tiny.model, 2);
  lq::Event events[3];
  const auto step = [&](std::vector<lq::Session*> list) { return code_of([&] { batch.step(list, events); }); };
  CHECK(step({&a, &a}) == Code::invalid_argument);
  CHECK(step({&a, &b}) == Code::invalid_argument);
  CHECK(step({&a, &stranger}) == Code::invalid_argument);
  CHECK(step({&a, nullptr}) == Code::invalid_argument);
  CHECK(step({&a, &b, &stranger}) == Code::invalid_argument);
  CHECK(step({&a}) == Code::ok);
}
