// Sessions with LoRA adapters: changing them, forks, states, batches and prefix caches.
#include <catch2/catch.hpp>
#include <limits>

#include "loquor/formats/gguf_writer.hpp"
#include "loquor/models/adapter.hpp"
#include "temp_folder.hpp"
#include "tiny_session.hpp"

using namespace lq_test;
using lq::Code;

namespace {

// Random changes of the tiny model's queries and up projections.
std::shared_ptr<const lq::Adapter> adapter(const LoadedTiny& tiny, std::uint64_t seed) {
  const TempFolder folder;
  lq::GgufWriter w;
  w.add_string("general.architecture", "llama");
  w.add_string("general.type", "adapter");
  w.add_string("adapter.type", "lora");
  w.add_f32("adapter.lora.alpha", 4);
  std::vector<std::vector<float>> data;
  lq::Random random(seed);
  const auto add = [&](const std::string& name, std::size_t rows, std::size_t cols) {
    w.add_tensor(name, lq::DType::F32, {rows, cols});
    std::vector<float> v(rows * cols);
    for (float& x : v) x = static_cast<float>(random.uniform() - 0.5);
    data.push_back(v);
  };
  for (const std::string blk : {"blk.0.", "blk.1."}) {
    add(blk + "attn_q.weight.lora_a", 2, 64);
    add(blk + "attn_q.weight.lora_b", 64, 2);
    add(blk + "ffn_up.weight.lora_a", 3, 64);
    add(blk + "ffn_up.weight.lora_b", 96, 3);
  }
  w.begin(folder / "a.gguf");
  for (const auto& d : data) w.write(d.data(), d.size() * sizeof(float));
  w.commit();
  return lq::Adapter::load(tiny.model->decoder(), folder / "a.gguf");
}

lq::Session with(const LoadedTiny& tiny, std::vector<lq::AdapterUse> uses) {
  lq::Session s(tiny.model);
  s.set_adapters(std::move(uses));
  return s;
}

std::vector<float> after(const LoadedTiny& tiny, const std::vector<lq::AdapterUse>& uses, const Tokens& tokens) {
  lq::Session s = with(tiny, uses);
  s.set_prompt(tokens);
  return logits_of(s);
}

Code thrown(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    return e.code();
  }
  return Code::ok;
}

}  // namespace

TEST_CASE("changing a session's adapters computes its tokens again", "[generate][adapters]") {
  const LoadedTiny tiny;
  const auto one = adapter(tiny, 1), two = adapter(tiny, 2);
  const Tokens text = some_tokens(90);
  const auto plain = after(tiny, {}, text), first = after(tiny, {{one, 1.0f}}, text),
             both = after(tiny, {{one, 1.0f}, {two, 0.5f}}, text);
  CHECK(!same_bits(plain, first));
  CHECK(!same_bits(first, both));
  lq::Session s(tiny.model);
  s.set_prompt(text);
  s.set_adapters({{one, 1.0f}});
  CHECK(s.tokens() == text);
  CHECK(same_bits(logits_of(s), first));
  s.set_adapters({{one, 1.0f}, {two, 0.5f}});
  CHECK(same_bits(logits_of(s), both));
  lq::Session fork = s.fork();
  s.set_adapters({});
  CHECK(same_bits(logits_of(s), plain));
  CHECK(same_bits(logits_of(fork), both));
}

TEST_CASE("feeding, scoring, evaluating and generating all use the adapters", "[generate][adapters]") {
  const LoadedTiny tiny;
  const auto one = adapter(tiny, 1);
  const Tokens text = some_tokens(50);
  const auto expected = after(tiny, {{one, 1.0f}}, text);
  lq::Session fed = with(tiny, {{one, 1.0f}});
  for (const std::int32_t t : text) fed.feed({&t, 1});
  CHECK(same_bits(logits_of(fed), expected));
  lq::Session evaluated = with(tiny, {{one, 1.0f}});
  std::vector<float> last;
  evaluated.eval(text, [&](std::size_t, std::span<const float> l) {
    last.assign(l.begin(), l.end());
    return true;
  });
  CHECK(same_bits(last, expected));
  lq::Session scored = with(tiny, {{one, 1.0f}}), plain(tiny.model);
  CHECK(scored.score(text) != plain.score(text));
  const std::int32_t id = 9;
  float logit = 0;
  lq::Session some = with(tiny, {{one, 1.0f}});
  some.logits_of(text, {&id, 1}, {&logit, 1});
  CHECK(logit == expected[9]);
}

TEST_CASE("sessions with different adapters in one batch say what they say alone", "[generate][adapters]") {
  const LoadedTiny tiny;
  const auto one = adapter(tiny, 1), two = adapter(tiny, 2);
  const std::vector<lq::AdapterUse> uses[] = {{{one, 1.0f}}, {}, {{two, 2.0f}, {one, 1.0f}}};
  std::vector<lq::Session> together;
  std::vector<Tokens> alone;
  for (const auto& u : uses) {
    lq::Session s = with(tiny, u);
    s.start(some_tokens(40), random_options(12));
    alone.push_back(run(s).tokens);
    together.push_back(with(tiny, u));
    together.back().start(some_tokens(40), random_options(12));
  }
  CHECK(alone[0] != alone[1]);
  lq::Batch batch(tiny.model, 3);
  std::vector<lq::Session*> sessions = {&together[0], &together[1], &together[2]};
  std::vector<lq::Event> events(3);
  for (bool done = false; !done;) {
    batch.step(sessions, events);
    done = true;
    for (const lq::Event& e : events) done = done && e.kind == lq::EventKind::done;
  }
  for (std::size_t i = 0; i < 3; ++i) CHECK(together[i].output_tokens() == alone[i]);
}

TEST_CASE("adapted pages go into no prefix cache and come from none", "[generate][adapters]") {
  const LoadedTiny tiny;
  const auto one = adapter(tiny, 1);
  const auto cache = std::make_shared<lq::PrefixCache>(tiny.model, std::size_t{1} << 24);
  const Tokens text = some_tokens(150);
  lq::Session plain(tiny.model), adapted = with(tiny, {{one, 1.0f}});
  plain.use_prefix_cache(cache);
  adapted.use_prefix_cache(cache);
  adapted.set_prompt(text);
  CHECK(cache->stats().entries == 0);
  plain.set_prompt(text);
  CHECK(cache->stats().entries == 2);
  lq::Session late = with(tiny, {{one, 1.0f}});
  late.use_prefix_cache(cache);
  CHECK(late.set_prompt(text) == 0);
  CHECK(same_bits(logits_of(late), after(tiny, {{one, 1.0f}}, text)));
}

TEST_CASE("a state belongs to its adapters", "[generate][adapters]") {
  const LoadedTiny tiny;
  const auto one = adapter(tiny, 1);
  lq::Session s = with(tiny, {{one, 1.0f}});
  s.set_prompt(some_tokens(70));
  const auto state = s.save();
  lq::Session same = with(tiny, {{one, 1.0f}}), scaled = with(tiny, {{one, 0.5f}}), plain(tiny.model);
  same.load(state);
  CHECK(same_bits(logits_of(same), logits_of(s)));
  CHECK(thrown([&] { scaled.load(state); }) == Code::mismatch);
  CHECK(thrown([&] { plain.load(state); }) == Code::mismatch);
  const LoadedTiny other;
  CHECK(thrown([&] { with(tiny, {{adapter(other, 1), 1.0f}}); }) == Code::invalid_argument);
  CHECK(thrown([&] { with(tiny, {{one, std::numeric_limits<float>::infinity()}}); }) == Code::invalid_argument);
  CHECK(thrown([&] { with(tiny, {{nullptr, 1.0f}}); }) == Code::invalid_argument);
}
