#include <catch2/catch.hpp>
#include <limits>

#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/matcher.hpp"
#include "test_data.hpp"
#include "tiny_session.hpp"

using namespace lq_test;
using lq::Finish;
using lq::Grammar;

namespace {

const char* const kObject =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":0,"maximum":99},
    "tags":{"type":"array","items":{"enum":["red","green","blue"]},"maxItems":3}},"required":["name","age"],"additionalProperties":false})";

std::vector<std::shared_ptr<const Grammar>> grammars() {
  const std::vector<std::string> choices = {"yes", "no", "yesterday"};
  return {Grammar::from_json_schema(kObject), Grammar::from_json_schema(kObject, {.compact = true}),
          Grammar::from_gbnf("root ::= expr\nexpr ::= expr [-+] expr | \"(\" expr \")\" | [0-9]{1,3}"),
          Grammar::from_choices(choices), Grammar::from_regex("[a-z]{3}( [a-z]{2,5})*\\.")};
}

lq::Sampler sampler(int which) {
  lq::Sampler s;
  if (which == 0) return s;
  s.set_seed(static_cast<std::uint64_t>(which));
  const double one[] = {which == 1 ? 1.0 : 3.0}, k[] = {40};
  if (which == 2) s.add("top_k", k);
  s.add("temperature", one);
  if (which == 3) s.set_bias(byte_token('"'), 2.0f);
  return s;
}

struct Run {
  Tokens tokens;
  std::string text;
  Finish finish = Finish::none;
  lq::GenerateResult result;
};

lq::GenerateOptions options(const std::shared_ptr<const Grammar>& grammar, int which, std::size_t max = 60) {
  lq::GenerateOptions o;
  o.max_tokens = max;
  o.grammar = grammar;
  o.sampler = sampler(which);
  return o;
}

Run run(lq::Session& s, const Tokens& prompt, lq::GenerateOptions o, std::uint64_t budget = UINT64_MAX) {
  s.start(prompt, std::move(o));
  for (;;) {
    const lq::Event e = s.step(budget);
    if (e.kind == lq::EventKind::done) break;
  }
  return {s.output_tokens(), s.output(), s.result().finish, s.result()};
}

// Token by token from the session's logits, each token of the vocabulary tried on the matcher.
Run by_hand(lq::Session& s, const Tokens& prompt, const std::shared_ptr<const Grammar>& grammar, int which,
            std::size_t max) {
  const lq::Tokenizer& tokenizer = *s.model().tokenizer();
  lq::Matcher matcher(grammar->automaton());
  lq::Sampler choose = sampler(which);
  Run out;
  s.set_prompt(prompt);
  while (out.tokens.size() < max) {
    std::vector<float> logits = logits_of(s);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const auto id = static_cast<std::int32_t>(i);
      bool allowed = tokenizer.is_end_of_generation(id) ? matcher.can_end() : !tokenizer.is_special(id);
      if (allowed && !tokenizer.is_end_of_generation(id)) {
        lq::Matcher copy = matcher;
        allowed = !tokenizer.token_bytes(id).empty() && copy.push(tokenizer.token_bytes(id));
      }
      if (!allowed) logits[i] = -std::numeric_limits<float>::infinity();
    }
    const std::int32_t token = choose.sample(logits, s.tokens(), s.tokens().size());
    out.finish = Finish::end;
    if (tokenizer.is_end_of_generation(token)) return out;
    REQUIRE(matcher.push(tokenizer.token_bytes(token)));
    out.tokens.push_back(token);
    s.feed({&token, 1});
    if (matcher.can_end() && !matcher.can_go_on()) return out;
  }
  out.finish = Finish::length;
  return out;
}

}  // namespace

TEST_CASE("constrained generation samples from what the grammar allows", "[generate][grammar]") {
  const LoadedTiny tiny;
  const Tokens prompt = some_tokens(20);
  int whole = 0;
  for (const auto& grammar : grammars())
    for (int which = 0; which < 4; ++which) {
      CAPTURE(which);
      lq::Session a(tiny.model), b(tiny.model);
      const Run got = run(a, prompt, options(grammar, which));
      const Run expected = by_hand(b, prompt, grammar, which, 60);
      CHECK(got.tokens == expected.tokens);
      CHECK(got.finish == expected.finish);
      lq::Matcher matcher(grammar->automaton());
      CHECK(matcher.push(got.text));
      if (got.finish == Finish::end) {
        CHECK(matcher.can_end());
        ++whole;
      }
    }
  CHECK(whole >= 8);
}

TEST_CASE("guesses, budgets, chunks and batches change nothing about constrained output", "[generate][grammar]") {
  const LoadedTiny tiny;
  const Tokens prompt = some_tokens(30);
  std::size_t accepted = 0;
  std::vector<Run> expected;
  std::vector<std::unique_ptr<lq::Session>> sessions;
  for (const auto& grammar : grammars())
    for (int which = 0; which < 4; ++which) {
      CAPTURE(which);
      lq::Session plain(tiny.model), guessing(tiny.model), slow(tiny.model, {.prefill_chunk = 7});
      auto o = options(grammar, which);
      o.lookup = -1;
      const Run without = run(plain, prompt, o);
      o.lookup = 31;
      const Run with = run(guessing, prompt, o);
      CHECK(with.tokens == without.tokens);
      CHECK(with.text == without.text);
      accepted += with.result.accepted_tokens;
      CHECK(run(slow, prompt, options(grammar, which), 1).tokens == without.tokens);
      expected.push_back(without);
      sessions.push_back(std::make_unique<lq::Session>(tiny.model));
      sessions.back()->start(prompt, options(grammar, which));
    }
  CHECK(accepted > 0);
  lq::Batch batch(tiny.model, sessions.size());
  std::vector<lq::Session*> all;
  for (auto& s : sessions) all.push_back(s.get());
  std::vector<lq::Event> events(all.size());
  for (bool busy = true; busy;) {
    batch.step(all, events);
    busy = false;
    for (const auto& e : events) busy = busy || e.kind != lq::EventKind::done;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i]->output_tokens() == expected[i].tokens);
    CHECK(all[i]->result().finish == expected[i].finish);
  }
}

TEST_CASE("a constrained generation ends by itself, at the model's end or at a stop", "[generate][grammar]") {
  const LoadedTiny tiny;
  lq::Session s(tiny.model);
  const Tokens prompt = some_tokens(10);
  const std::vector<std::string> choices = {"red", "green", "blue"};
  const auto colours = Grammar::from_choices(choices);
  for (int which = 0; which < 4; ++which) {
    const Run got = run(s, prompt, options(colours, which));
    CHECK(got.finish == Finish::end);
    CHECK(std::count(choices.begin(), choices.end(), got.text) == 1);
  }
  // An optional rest: the model's end token is one of the ways on.
  const auto more = Grammar::from_gbnf("root ::= \"a\"+");
  auto o = options(more, 0, 30);
  o.sampler.set_bias(tiny.model->tokenizer()->end_of_generation()[0], 100.0f);
  const Run one = run(s, prompt, o);
  CHECK(one.text == "a");
  CHECK(one.finish == Finish::end);
  o.ignore_end = true;
  CHECK(run(s, prompt, o).text == std::string(30, 'a'));
  o.ignore_end = false;
  o.sampler = sampler(0);
  o.sampler.set_bias(byte_token('x'), 100.0f);  // not in the grammar, but a stop: allowed where the text is whole
  o.stop_tokens = {byte_token('x')};
  const Run stopped = run(s, prompt, o);
  CHECK(stopped.text == "a");
  CHECK(stopped.finish == Finish::stop);
}

TEST_CASE("the grammar of an empty text ends at once; another model's grammar is as good", "[generate][grammar]") {
  const LoadedTiny tiny, other;
  lq::Session s(tiny.model), t(other.model);
  const Run got = run(s, some_tokens(5), options(Grammar::from_gbnf("root ::= \"\""), 0));
  CHECK(got.finish == Finish::end);
  CHECK(got.tokens.empty());
  const auto grammar = grammars()[0];
  CHECK(run(s, some_tokens(5), options(grammar, 1)).tokens == run(t, some_tokens(5), options(grammar, 1)).tokens);
  CHECK(tiny.model->token_masks(grammar) == tiny.model->token_masks(grammar));
  CHECK_FALSE(tiny.model->token_masks(grammar) == other.model->token_masks(grammar));
}

TEST_CASE("a dead end is an error that leaves the session as it was", "[generate][grammar]") {
  const std::string path = model_path();
  LQ_NEED_FILE(path);
  const auto model = lq::Model::load(std::make_shared<lq::Context>(), path);
  lq::Session s(model);
  const Tokens prompt = model->tokenizer()->encode("Hello");
  // SmolLM2's vocabulary has no token for the byte F1, with which this character begins.
  s.start(prompt, options(Grammar::from_gbnf("root ::= \"a\\U00040000\""), 0));
  CHECK(s.step().kind == lq::EventKind::token);
  CHECK_THROWS_WITH(s.step(), Catch::Contains("dead end"));
  CHECK(s.output() == "a");
  const auto schema = Grammar::from_json_schema(kObject);
  const Run got = run(s, model->tokenizer()->encode("A person as JSON:"), options(schema, 0, 200));
  CHECK(got.finish == Finish::end);
  CHECK(schema->accepts(got.text));
}
