// Prompt lookup: whatever is guessed, a generation is the same in every detail; only drafted and accepted tell.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>

#include "tiny_session.hpp"

using namespace lq_test;
using lq::Code;

namespace {

// Without a head of its own the tiny model repeats itself, which is what makes guesses come true.
const LoadedTiny& repeating() {
  static const LoadedTiny tiny([] {
    TinyModel m;
    m.tied = true;
    return m;
  }());
  return tiny;
}

struct Told {
  lq::EventKind kind;
  std::int32_t token;
  std::size_t index;
  std::string text;
  std::int32_t logprob_bits;
  std::vector<std::pair<std::int32_t, float>> top;
  lq::Finish finish;
  bool operator==(const Told&) const = default;
};

struct Outcome {
  std::vector<Told> events;
  std::vector<float> logits;
  Tokens tokens;
  std::size_t drafted = 0, accepted = 0;
};

Outcome play(lq::Session& s, std::uint64_t budget_us = UINT64_MAX) {
  Outcome out;
  for (bool done = false; !done;) {
    const lq::Event e = s.step(budget_us);
    done = e.kind == lq::EventKind::done;
    if (e.kind == lq::EventKind::working) continue;
    Told t{e.kind, e.token, e.index, std::string(e.text), 0, {}, e.finish};
    std::memcpy(&t.logprob_bits, &e.logprob, 4);
    for (const auto& l : e.top) t.top.emplace_back(l.token, l.logprob);
    out.events.push_back(t);
  }
  out.tokens = s.tokens();
  out.drafted = s.result().drafted_tokens;
  out.accepted = s.result().accepted_tokens;
  CHECK(out.accepted <= out.drafted);
  out.logits = logits_of(s);
  return out;
}

// The same generation without and with guesses, whole and under budgets; returns how many guesses came true.
std::size_t check_same(const Tokens& prompt, const lq::GenerateOptions& options, const lq::SessionOptions& so = {}) {
  std::size_t accepted = 0;
  Outcome plain;
  for (const int lookup : {-1, 0, 1, 3, 31})
    for (const std::uint64_t budget : {UINT64_MAX, std::uint64_t{0}, std::uint64_t{200}}) {
      lq::GenerateOptions o = options;
      o.lookup = lookup;
      lq::Session s(repeating().model, so);
      s.start(prompt, o);
      const Outcome out = play(s, budget);
      if (lookup < 0 && budget == UINT64_MAX) plain = out;
      INFO("lookup " << lookup << ", budget " << budget);
      CHECK(out.events == plain.events);
      CHECK(out.tokens == plain.tokens);
      CHECK(same_bits(out.logits, plain.logits));
      if (lookup < 0) CHECK(out.drafted == 0);
      accepted += out.accepted;
    }
  return accepted;
}

Tokens repeated(std::size_t times, std::size_t length) {
  const Tokens part = some_tokens(length, 3);
  Tokens out;
  for (std::size_t i = 0; i < times; ++i) out.insert(out.end(), part.begin(), part.end());
  return out;
}

lq::GenerateOptions greedy(std::size_t max_tokens) {
  lq::GenerateOptions o;
  o.max_tokens = max_tokens;
  o.ignore_end = true;
  return o;
}

lq::GenerateOptions warm(std::size_t max_tokens, double temperature, std::uint64_t seed) {
  lq::GenerateOptions o = greedy(max_tokens);
  o.sampler.add("temperature", {&temperature, 1});
  o.sampler.set_seed(seed);
  return o;
}

// Says `passage` again, from a session that holds it.
lq::GenerateOptions copying(const Tokens& passage) { return scripted(passage, passage.size()); }

// A session in the middle of a copy, with tokens computed that have not come yet (or just about).
lq::Session copying_session(const Tokens& passage, std::size_t said, lq::SessionOptions so = {}) {
  lq::Session s(repeating().model, so);
  s.start(passage, copying(passage));
  for (std::size_t i = 0; i < said; ++i) REQUIRE(s.step().kind == lq::EventKind::token);
  return s;
}

}  // namespace

TEST_CASE("greedy and sampled generations are the same with guesses", "[lookahead]") {
  std::size_t accepted = check_same(some_tokens(20), greedy(80)) + check_same(repeated(3, 12), greedy(60));
  for (const std::uint64_t seed : {1u, 2u}) {
    accepted += check_same(repeated(3, 12), warm(60, 0.3, seed));
    accepted += check_same(repeated(3, 12), warm(60, 1.0, seed));
  }
  CHECK(accepted > 100);
}

TEST_CASE("penalties, log probabilities and stops see the same with guesses", "[lookahead]") {
  const Tokens prompt = repeated(3, 10);
  lq::GenerateOptions o = warm(60, 0.5, 4);
  SECTION("penalties") {
    const double repeat[] = {1.1, 20}, presence = 0.3;
    o = greedy(60);
    o.sampler.add("repeat_penalty", repeat);
    o.sampler.add("presence_penalty", {&presence, 1});
  }
  SECTION("log probabilities") { o.logprobs = 4; }
  SECTION("a limit") {
    for (const std::size_t n : {1u, 2u, 3u, 17u}) check_same(prompt, greedy(n));
  }
  SECTION("stop tokens and strings, in the middle of what was guessed") {
    lq::Session s(repeating().model);
    lq::GenerateOptions plain = greedy(60);
    plain.lookup = -1;
    s.start(prompt, plain);
    const Said said = run(s);
    for (const std::size_t at : {5u, 20u, 40u}) {
      o = greedy(60);
      o.stop_tokens = {said.tokens[at]};
      check_same(prompt, o);
    }
    const std::string& text = said.text;
    REQUIRE(text.size() > 8);
    o = greedy(60);
    o.stop = {text.substr(text.size() / 2, 5), "never comes"};
  }
  SECTION("the model's end") {
    o = greedy(60);
    o.ignore_end = false;
    o.sampler.set_bias(2, 9.0f);
  }
  check_same(prompt, o);
}

TEST_CASE("a context that fills up or slides gives the same with guesses", "[lookahead]") {
  lq::SessionOptions so;
  for (const std::size_t n_ctx : {48u, 64u, 70u}) {
    so.n_ctx = n_ctx;
    so.overflow = lq::Overflow::error;
    CHECK(check_same(repeated(3, 12), greedy(0), so) > 0);
    so.overflow = lq::Overflow::slide;
    so.slide_keep = 5;
    CHECK(check_same(repeated(3, 12), greedy(150), so) > 0);
  }
  so = {};
  so.kv_type = lq::DType::F32;
  so.prefill_chunk = 7;
  so.wipe = true;
  CHECK(check_same(repeated(3, 12), greedy(90), so) > 0);
}

TEST_CASE("a stage of the host is asked once for each token, with the same history", "[lookahead]") {
  const Tokens passage = some_tokens(50);
  std::vector<std::size_t> asked[2];
  for (const int on : {0, 1}) {
    lq::Session s(repeating().model);
    lq::GenerateOptions o = copying(passage);
    o.lookup = on - 1;
    o.sampler.add([&, on](std::span<lq::Candidate>, std::span<const std::int32_t> history) {
      asked[on].push_back(history.size());
      return std::size_t{1};
    });
    s.start(passage, o);
    CHECK(run(s).tokens == passage);
    if (on) CHECK(s.result().accepted_tokens > 0);
  }
  CHECK(asked[0] == asked[1]);
}

TEST_CASE("in the middle of what was guessed, a session can do all that it can at rest", "[lookahead]") {
  const Tokens passage = some_tokens(50);
  std::size_t accepted = 0;
  for (std::size_t said = 3; said < 32; said += 4) {
    INFO(said << " tokens said");
    const Tokens so_far = [&] {
      Tokens t = passage;
      t.insert(t.end(), passage.begin(), passage.begin() + static_cast<long>(said));
      return t;
    }();
    const auto expected = fresh_logits(repeating(), so_far);
    {
      lq::Session s = copying_session(passage, said);
      accepted += s.result().accepted_tokens;
      lq::Session fork = s.fork();
      CHECK(fork.tokens() == so_far);
      CHECK(same_bits(logits_of(fork), expected));
      fork.feed(some_tokens(5, 9));
      CHECK(run(s).tokens.size() == passage.size() - said);  // goes on undisturbed
      CHECK(Tokens(s.output_tokens()) == passage);
    }
    {
      lq::Session s = copying_session(passage, said);
      const auto state = s.save();
      lq::Session other(repeating().model);
      other.load(state);
      CHECK(other.tokens() == so_far);
      CHECK(same_bits(logits_of(other), expected));
      CHECK(same_bits(logits_of(s), expected));
    }
    for (const std::size_t n : {so_far.size(), so_far.size() - 1, so_far.size() - 6}) {
      lq::Session s = copying_session(passage, said);
      s.rewind(n);
      CHECK(s.tokens().size() == n);
      CHECK(
          same_bits(logits_of(s), fresh_logits(repeating(), {so_far.begin(), so_far.begin() + static_cast<long>(n)})));
    }
    {
      lq::Session s = copying_session(passage, said);
      s.feed(some_tokens(4, 11));
      Tokens fed = so_far;
      for (const std::int32_t t : some_tokens(4, 11)) fed.push_back(t);
      CHECK(same_bits(logits_of(s), fresh_logits(repeating(), fed)));
    }
    {
      lq::Session s = copying_session(passage, said);
      CHECK(s.set_prompt(so_far) >= so_far.size() - 1);
      CHECK(same_bits(logits_of(s), expected));
    }
    {
      lq::Session s = copying_session(passage, said);
      lq::GenerateOptions other = random_options(20);
      other.append = true;
      s.start(some_tokens(3, 8), other);
      const Tokens tokens = run(s).tokens;
      lq::Session fresh(repeating().model);
      fresh.feed(so_far);
      fresh.start(some_tokens(3, 8), other);
      CHECK(tokens == run(fresh).tokens);
    }
    {
      lq::Session s = copying_session(passage, said);
      s.cancel();
      CHECK(code_of([&] { s.step(); }) == Code::cancelled);
      CHECK(s.step().finish == lq::Finish::cancelled);
      CHECK(s.tokens() == so_far);
      CHECK(same_bits(logits_of(s), expected));
    }
    {
      lq::Session s = copying_session(passage, said);
      s.stop();
      CHECK(s.tokens() == so_far);
      CHECK(same_bits(logits_of(s), expected));
    }
  }
  CHECK(accepted > 20);
}

TEST_CASE("a generation can be given up at any unit of a pass that computes ahead", "[lookahead]") {
  const Tokens passage = some_tokens(50);
  for (std::size_t units = 1; units < 60; units += 3) {
    lq::Session s = copying_session(passage, 9);
    Tokens so_far;
    for (std::size_t i = 0; i < units; ++i)
      if (s.step(0).kind == lq::EventKind::done) break;
    so_far = s.tokens();
    INFO(units << " units");
    if (units % 2) {
      s.rewind(so_far.size());
    } else {
      s.cancel();
      CHECK(code_of([&] { s.step(0); }) == Code::cancelled);
    }
    CHECK(s.tokens() == so_far);
    CHECK(same_bits(logits_of(s), fresh_logits(repeating(), so_far)));
  }
}

TEST_CASE("a session that computed ahead can go on in a batch", "[lookahead]") {
  const Tokens passage = some_tokens(50);
  for (const std::size_t said : {5u, 9u, 14u}) {
    lq::Session a = copying_session(passage, said), b = copying_session(passage, said + 1);
    lq::Batch batch(repeating().model, 2);
    lq::Session* const sessions[] = {&a, &b};
    std::vector<lq::Event> events(2);
    do batch.step(sessions, events);
    while (std::any_of(events.begin(), events.end(), [](const auto& e) { return e.kind != lq::EventKind::done; }));
    CHECK(a.output_tokens() == passage);
    CHECK(b.output_tokens() == passage);
    Tokens all = passage;
    all.insert(all.end(), passage.begin(), passage.end());
    CHECK(same_bits(logits_of(a), fresh_logits(repeating(), all)));
  }
}

TEST_CASE("guessing takes no memory that a session with a cap needs", "[lookahead]") {
  const Tokens passage = some_tokens(50);
  lq::SessionOptions so;
  const lq::SessionMemory full = lq::Session::memory_needed(repeating().model->decoder()->spec(), so);
  for (const bool enough : {false, true}) {
    so.memory_cap = full.kv_bytes + full.workspace_bytes - (enough ? 0 : 1);
    lq::Session s(repeating().model, so);
    s.start(passage, copying(passage));
    CHECK(run(s).tokens == passage);
    CHECK((s.result().drafted_tokens > 0) == enough);
    CHECK(s.memory() <= so.memory_cap);
  }
}

TEST_CASE("how many tokens may be guessed is checked", "[lookahead]") {
  lq::Session s(repeating().model);
  for (const int lookup : {-2, 32, 1 << 30}) {
    lq::GenerateOptions o;
    o.lookup = lookup;
    CHECK(code_of([&] { s.start(some_tokens(3), o); }) == Code::invalid_argument);
  }
}

namespace {

// Fails every allocation of a size while it is asked to.
struct Miser {
  bool refuse = false;
  std::size_t refused = 0;

  static void* allocate(void* user, std::size_t bytes, std::size_t alignment) {
    auto& self = *static_cast<Miser*>(user);
    if (self.refuse && ++self.refused) return nullptr;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  static void release(void*, void* p, std::size_t, std::size_t) { std::free(p); }
};

}  // namespace

TEST_CASE("where there is no memory to compute ahead, the generation goes on without", "[lookahead]") {
  Miser miser;
  lq::ContextOptions o = with_threads(1);
  o.allocator = {Miser::allocate, Miser::release, &miser};
  const LoadedTiny tiny({}, o);
  const Tokens passage = some_tokens(20);
  lq::Session s(tiny.model);
  s.start(passage, copying(passage));
  s.step();
  s.step();  // the pass of one token has its workspace, and the page has room
  miser.refuse = true;
  run(s);
  CHECK(s.output_tokens() == passage);
  CHECK(miser.refused > 0);
  CHECK(s.result().drafted_tokens == 0);
}
