#include "loquor/prompt/prompt.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "generate/tiny_session.hpp"
#include "loquor/core/status.hpp"

using namespace lq;
using namespace lq_test;

namespace {

PromptOptions three() {
  PromptOptions o;
  o.role = "You add.";
  o.instructions = "Be brief.";
  o.examples = {{"1+1", "2", "one and one"}, {"2+2", "4", ""}, {"3+3", "6", ""}};
  o.max_tokens = 4;
  return o;
}

std::string text_of(const LoadedTiny& tiny, PromptOptions o, const std::string& question = "4+4",
                    std::size_t budget = 1000) {
  return Prompt(std::move(o)).build(*tiny.model, question, budget).text;
}

}  // namespace

TEST_CASE("prompts are written by the chat template, or raw", "[prompt]") {
  const LoadedTiny tiny;
  auto o = three();
  o.shots = 1;
  CHECK(text_of(tiny, o) ==
        "<|im_start|>system\nYou add.\n\nBe "
        "brief.<|im_end|>\n<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
        "<|im_start|>user\n4+4<|im_end|>\n<|im_start|>assistant\n");
  o.raw = true;
  CHECK(text_of(tiny, o) == "You add.\n\nBe brief.\n\nQ: 1+1\nA: 2\n\nQ: 4+4\nA:");
  o.reasoning_tokens = 5;
  CHECK(text_of(tiny, o) ==
        "You add.\n\nBe brief.\n\nQ: 1+1\nA: one and one\nTherefore, the answer is: 2\n\nQ: 4+4\nA:");
  CHECK(text_of(tiny, {}) == "<|im_start|>user\n4+4<|im_end|>\n<|im_start|>assistant\n");
}

TEST_CASE("examples are drawn by the seed and left out where there is no room", "[prompt]") {
  const LoadedTiny tiny;
  auto o = three();
  o.choice = ExampleChoice::random;
  o.shots = 2;
  Prompt p(o);
  const auto a = p.build(*tiny.model, "x", 1000), b = p.build(*tiny.model, "y", 1000);
  CHECK(a.shown.size() == 2);
  CHECK(a.shown == b.shown);
  std::set<std::vector<std::size_t>> seen;
  for (o.seed = 0; o.seed < 40; ++o.seed) seen.insert(Prompt(o).build(*tiny.model, "x", 1000).shown);
  CHECK(seen.size() == 6);
  o = three();
  Prompt all(o);
  const std::size_t full = all.build(*tiny.model, "x", 1000).tokens.size();
  const auto cut = all.build(*tiny.model, "x", full - 1);
  CHECK(cut.dropped == std::vector<std::size_t>{0});
  CHECK(cut.shown == std::vector<std::size_t>{1, 2});
  CHECK_THROWS_WITH(all.build(*tiny.model, "x", 5), Catch::Contains("room for 5"));
}

TEST_CASE("one question is a greedy generation", "[prompt]") {
  const LoadedTiny tiny;
  Session s(tiny.model), plain(tiny.model);
  auto o = three();
  Prompt p(o);
  const PromptAnswer a = p.ask(s, "4+4");
  GenerateOptions g;
  g.max_tokens = 4;
  plain.start(std::span<const std::int32_t>(p.build(*tiny.model, "4+4", 200).tokens), g);
  while (plain.step().kind != EventKind::done) {
  }
  std::string want = plain.output();
  want.erase(0, want.find_first_not_of(" \n"));
  want.erase(want.find_last_not_of(" \n") + 1);
  CHECK(a.text == want);
  CHECK(a.share == 1);
  CHECK(a.prompt_tokens == p.build(*tiny.model, "4+4", 200).tokens.size());
}

TEST_CASE("chains vote, from one prompt, with the same answer each time", "[prompt]") {
  const LoadedTiny tiny;
  Session s(tiny.model);
  auto o = three();
  o.votes = 9;
  o.temperature = 2;
  o.form.choices = {"red", "green", "blue"};
  Prompt p(o);
  const PromptAnswer a = p.ask(s, "colour"), b = p.ask(s, "colour");
  std::size_t sum = 0;
  for (const auto& v : a.votes) {
    sum += v.count;
    CHECK((v.text == "red" || v.text == "green" || v.text == "blue"));
  }
  CHECK(sum == 9);
  CHECK(a.votes.size() > 1);
  CHECK(a.text == a.votes[0].text);
  CHECK(a.share == Approx(a.votes[0].count / 9.0));
  CHECK(std::equal(a.votes.begin(), a.votes.end(), b.votes.begin(), b.votes.end(),
                   [](const auto& x, const auto& y) { return x.text == y.text && x.count == y.count; }));
}

TEST_CASE("reasoning comes first, and then the answer in its form", "[prompt]") {
  const LoadedTiny tiny;
  for (const std::size_t votes : {1u, 4u}) {
    Session s(tiny.model);
    auto o = three();
    o.reasoning_tokens = 6;
    o.votes = votes;
    o.form.regex = "[0-9]{2}";
    const PromptAnswer a = Prompt(o).ask(s, "4+4");
    CHECK(a.text.size() == 2);
    CHECK(a.text.find_first_not_of("0123456789") == std::string::npos);
    CHECK(a.generated_tokens >= votes * 2);
    const std::string whole = tiny.model->tokenizer()->decode(s.tokens(), true);
    CHECK(whole.find("Therefore, the answer is:") != std::string::npos);
  }
}

TEST_CASE("prompts that cannot be are refused", "[prompt]") {
  const LoadedTiny tiny;
  Session s(tiny.model);
  auto o = three();
  o.max_tokens = 300;
  CHECK_THROWS_AS(Prompt(o).ask(s, "x"), Error);
  TinyModel bare;
  bare.chat_template = "";
  const LoadedTiny mute(bare);
  CHECK_THROWS_WITH(text_of(mute, three()), Catch::Contains("raw"));
  auto raw = three();
  raw.raw = true;
  CHECK_NOTHROW(text_of(mute, raw));
  CHECK(prompt_options(R"({"choice": "random", "examples": [{"input": "a", "output": "b"}]})").examples.size() == 1);
}
