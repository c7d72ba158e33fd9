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

namespace {

// Runs everything on the caller's thread and cancels a session at one of its calls, in the middle of a pass.
struct Interrupt {
  lq::Session* session = nullptr;
  int calls_left = 0;

  static void parallel_for(void* user, std::size_t n, void (*fn)(void*, std::size_t), void* task) {
    auto& self = *static_cast<Interrupt*>(user);
    if (self.session && --self.calls_left == 0) self.session->cancel();
    for (std::size_t i = 0; i < n; ++i) fn(task, i);
  }
};

}  // namespace

TEST_CASE("cancelling one session in the middle of a batch's pass takes effect in that pass", "[generate]") {
  Interrupt interrupt;
  lq::ContextOptions o = with_threads(2);
  o.threads.parallel_for = Interrupt::parallel_for;
  o.threads.parallel_for_user = &interrupt;
  const LoadedTiny tiny({}, o);
  const Tokens prompt = some_tokens(60);
  const Tokens expected = alone(tiny, prompt, 3);
  lq::Session good(tiny.model), cancelled(tiny.model);
  good.start(prompt, random_options(20, 3));
  cancelled.start(prompt, random_options(20, 4));
  lq::Batch batch(tiny.model, 2);
  lq::Session* both[] = {&good, &cancelled};
  lq::Event events[2];
  interrupt.calls_left = 5;
  interrupt.session = &cancelled;
  batch.step(both, events);
  REQUIRE(interrupt.calls_left < 0);
  CHECK(events[1].finish == lq::Finish::cancelled);
  REQUIRE(events[0].kind == lq::EventKind::token);
  Tokens said = {events[0].token};
  while (batch.step(both, events), events[0].kind == lq::EventKind::token) said.push_back(events[0].token);
  CHECK(said == expected);
  cancelled.start(prompt, random_options(20, 3));  // the next call works
  CHECK(run(cancelled).tokens == expected);
}

TEST_CASE("a session over its memory cap ends alone", "[generate]") {
  const LoadedTiny tiny;
  const Tokens prompt = some_tokens(60);
  lq::SessionOptions o;
  o.memory_cap = tiny.model->decoder()->kv_layout(o.kv_type).bytes_per_page();  // one page of 64 positions
  lq::Session good(tiny.model), capped(tiny.model, o);
  good.start(prompt, random_options(20, 3));
  capped.start(prompt, random_options(20, 3));
  lq::Batch batch(tiny.model, 2);
  lq::Session* both[] = {&good, &capped};
  lq::Event events[2];
  Tokens said;
  while (batch.step(both, events), events[0].kind == lq::EventKind::token) said.push_back(events[0].token);
  CHECK(said == alone(tiny, prompt, 3));
  CHECK(events[1].finish == lq::Finish::callback);
  CHECK(capped.output_tokens().size() == 5);  // sampled after 60 to 64 positions
}
