// The header-only C++ layer, over the tiny model.
#include <catch2/catch.hpp>
#include <loquor.hpp>

#include "tiny_model.hpp"

namespace {

struct Fixture {
  std::string file = lq_test::TinyModel().gguf();
  loquor::ContextOptions one_thread() const {
    loquor::ContextOptions o;
    o.threads = 1;
    return o;
  }
  loquor::Model model{file.data(), file.size(), {}, loquor::Context(one_thread())};
};

loquor::GenerateOptions tokens(std::uint32_t n) {
  loquor::GenerateOptions o;
  o.max_tokens = n;
  o.ignore_end = true;
  return o;
}

}  // namespace

TEST_CASE("errors carry the status and the message", "[cpp]") {
  const Fixture f;
  try {
    loquor::Model missing("/nonexistent.gguf");
    FAIL("loaded");
  } catch (const loquor::Error& e) {
    CHECK(e.status() == LQ_ERR_NOT_FOUND);
    CHECK(std::string(e.what()).find("/nonexistent.gguf") != std::string::npos);
  }
  CHECK_THROWS_AS(f.model.metadata("no.such.key"), loquor::Error);
  CHECK(f.model.metadata("general.name") == "Tiny");
  CHECK(f.model.metadata("llama.block_count") == "2");
}

TEST_CASE("long results are fetched whole", "[cpp]") {
  const Fixture f;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "hello the ";
  const loquor::Tokens ids = f.model.tokenize(text);
  CHECK(f.model.detokenize(ids) == text);
  CHECK(f.model.metadata("tokenizer.ggml.tokens").size() > 1000);
  CHECK(f.model.find_token("hello") == f.model.tokenize("hello")[0]);
  CHECK(f.model.find_token("<|im_end|>") == f.model.special_token("eos"));
  CHECK(!f.model.find_token("no such token"));
  CHECK(!f.model.special_token("pad"));
}

TEST_CASE("a generation is a range of events that ends with DONE", "[cpp]") {
  const Fixture f;
  loquor::Session session(f.model);
  const std::string expected = session.generate("hello", tokens(12));
  std::string text;
  std::size_t made = 0, done = 0;
  for (const loquor::Event& e : session.stream("hello", tokens(12))) {
    text += e.text();
    made += e.kind() == LQ_EVENT_TOKEN;
    done += e.done();
  }
  CHECK(text == expected);
  CHECK(made == 12);
  CHECK(done == 1);
  for (const loquor::Event& e : session.stream("hello", tokens(12)))
    if (e.index() == 3) break;  // leaving early
  CHECK(session.generate("hello", tokens(12)) == expected);
}

TEST_CASE("prompt lookup is an option that changes no token", "[cpp]") {
  const Fixture f;
  loquor::Session session(f.model);
  loquor::Sampler one;
  one.bias(70, 1000);
  loquor::GenerateOptions options = tokens(30);
  options.sampler = &one;
  options.lookup = -1;
  const std::string plain = session.generate("x", options);
  CHECK(session.result().drafted_tokens == 0);
  options.lookup = 7;
  CHECK(session.generate("x", options) == plain);
  CHECK(session.result().accepted_tokens > 0);
  options.lookup = 32;
  CHECK_THROWS_AS(session.generate("x", options), loquor::Error);
}

TEST_CASE("what a callback throws comes out of the call, and the session stays usable", "[cpp]") {
  const Fixture f;
  struct Oops {};
  loquor::Session session(f.model);
  CHECK_THROWS_AS(session.generate("hello", tokens(5), [](const loquor::Event&) -> bool { throw Oops(); }), Oops);
  loquor::Sampler sampler;
  sampler.add([](lq_candidate*, std::size_t&, const std::int32_t*, std::size_t) -> bool { throw Oops(); });
  auto o = tokens(5);
  o.sampler = &sampler;
  CHECK_THROWS_AS(session.generate("hello", o), Oops);
  CHECK_THROWS_AS(session.eval({70, 71}, [](auto, auto, auto) -> bool { throw Oops(); }), Oops);
  loquor::ModelOptions load;
  load.progress = [](float) -> bool { throw Oops(); };
  CHECK_THROWS_AS(loquor::Model(f.file.data(), f.file.size(), load), Oops);
  CHECK_FALSE(session.generate("hello", tokens(5)).empty());
}

TEST_CASE("a stage of the host decides, and outlives the sampler it was added to", "[cpp]") {
  const Fixture f;
  loquor::Session session(f.model);
  {
    loquor::Sampler sampler;
    const std::int32_t wanted = 262;
    sampler.add([wanted](lq_candidate* c, std::size_t& n, const std::int32_t*, std::size_t) {
      for (std::size_t i = 0; i < n; ++i)
        if (c[i].token == wanted) std::swap(c[0], c[i]);
      n = 1;
      return true;
    });
    const loquor::Sampler copy = sampler.clone();
    auto o = tokens(4);
    o.sampler = &copy;
    session.start("the", o);
  }
  while (!session.step().done()) {
  }
  CHECK(session.output_tokens() == loquor::Tokens(4, 262));
}

TEST_CASE("sessions move, fork, save and load", "[cpp]") {
  const Fixture f;
  loquor::Session a(f.model);
  a.set_prompt(f.model.tokenize("hello the inner"));
  loquor::Session b = a.fork();
  loquor::Session moved = std::move(a);
  const std::vector<unsigned char> state = moved.save();
  const std::string expected = moved.generate(tokens(6));
  CHECK(b.generate(tokens(6)) == expected);
  loquor::Session c(f.model);
  c.load(state.data(), state.size());
  CHECK(c.tokens() == f.model.tokenize("hello the inner"));
  CHECK(c.generate(tokens(6)) == expected);
  CHECK(c.capacity() == 256);
  CHECK(c.memory() > 0);
}

TEST_CASE("chat, batch and perplexity work through the layer", "[cpp]") {
  const Fixture f;
  loquor::Session a(f.model), b(f.model);
  const loquor::ChatTemplate chat(f.model);
  CHECK(chat.render({{"user", "hello"}}) == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  const std::string expected = a.chat({{"user", "hello"}}, tokens(6));
  a.start_chat({{"user", "hello"}}, tokens(6));
  b.start(f.model.tokenize("the"), tokens(3));
  loquor::Batch batch(f.model, 2);
  std::size_t events = 0;
  batch.run({&a, &b}, [&](std::size_t, const loquor::Event&) { return ++events > 0; });
  CHECK(a.output() == expected);
  CHECK(b.output_tokens().size() == 3);
  CHECK(events == 6 + 3 + 2);
  CHECK(loquor::perplexity(f.model, loquor::Tokens(64, 70), 16).windows == 4);
}

TEST_CASE("sessions share prompts and give the logits of some tokens through the layer", "[cpp]") {
  const Fixture f;
  loquor::Tokens prompt(100, 70);
  prompt.back() = 5;
  loquor::PrefixCache cache(f.model, 1 << 24);
  loquor::Session a(f.model), b(f.model), plain(f.model);
  a.use_prefix_cache(&cache);
  b.use_prefix_cache(&cache);
  plain.set_prompt(prompt);
  const float* full = plain.logits();
  std::size_t reused = 1;
  const std::vector<float> expected = {full[9], full[200]};
  CHECK(a.logits_of(prompt, {9, 200}, &reused) == expected);
  CHECK(reused == 0);
  CHECK(b.logits_of(prompt, {9, 200}, &reused) == expected);
  CHECK(reused == 64);
  CHECK(b.logits_of({200}) == std::vector<float>{full[200]});
  CHECK(cache.stats().hits == 1);
  CHECK_THROWS_AS(b.logits_of({}), loquor::Error);
  CHECK_THROWS_AS(b.logits_of({}, {1}), loquor::Error);
  b.use_prefix_cache(nullptr);
  cache.resize(0);
  CHECK(cache.stats().entries == 0);
  cache.clear();
}

TEST_CASE("the log callback may outlive the context object it was given to", "[cpp]") {
  const std::string file = lq_test::TinyModel().gguf();
  int lines = 0;
  std::unique_ptr<loquor::Model> model;
  {
    loquor::ContextOptions o;
    o.threads = 1;
    o.log = [&](lq_log_level, const char*) { ++lines; };
    model = std::make_unique<loquor::Model>(file.data(), file.size(), loquor::ModelOptions{}, loquor::Context(o));
  }
  loquor::Session session(*model);
  CHECK_FALSE(session.generate("hello", tokens(2)).empty());
}
