#include "loquor/generate/prefix_cache.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "test_data.hpp"
#include "tiny_session.hpp"

using namespace lq_test;
using lq::Code;

namespace {

constexpr std::size_t kPage = lq::KvLayout::kPageTokens;

std::shared_ptr<lq::PrefixCache> cache_of(const LoadedTiny& tiny, std::size_t max_bytes = std::size_t{1} << 30) {
  return std::make_shared<lq::PrefixCache>(tiny.model, max_bytes);
}

lq::Session sharing(const LoadedTiny& tiny, const std::shared_ptr<lq::PrefixCache>& cache,
                    lq::SessionOptions options = {}) {
  lq::Session s(tiny.model, options);
  s.use_prefix_cache(cache);
  return s;
}

std::size_t page_bytes(const LoadedTiny& tiny) {
  return tiny.model->decoder()->kv_layout(lq::DType::F16).bytes_per_page();
}

Tokens joined(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("a session takes over what another has computed of its prompt, with the same bits", "[generate][prefix]") {
  const LoadedTiny tiny;
  const Tokens prefix = some_tokens(150), a = joined(prefix, some_tokens(30, 1)),
               b = joined(prefix, some_tokens(40, 2));
  const auto cache = cache_of(tiny);
  lq::Session first = sharing(tiny, cache);
  CHECK(first.set_prompt(a) == 0);
  CHECK(cache->stats().entries == 2);

  lq::Session second = sharing(tiny, cache);
  CHECK(second.set_prompt(b) == 2 * kPage);
  CHECK(same_bits(logits_of(second), fresh_logits(tiny, b)));
  CHECK(same_bits(logits_of(first), fresh_logits(tiny, a)));

  lq::Session third = sharing(tiny, cache);
  third.start(b, random_options(6));
  const Tokens said = run(third).tokens;
  CHECK(third.result().reused_tokens == 3 * kPage - kPage);
  lq::Session alone(tiny.model);
  alone.start(b, random_options(6));
  CHECK(run(alone).tokens == said);

  const auto stats = cache->stats();
  CHECK(stats.lookups == 3);
  CHECK(stats.hits == 2);
  CHECK(stats.reused_tokens == 4 * kPage);
  CHECK(stats.bytes >= 2 * page_bytes(tiny));
  CHECK(stats.evicted == 0);
}

TEST_CASE("nothing reaches a session that was not told to share", "[generate][prefix]") {
  const LoadedTiny tiny;
  const auto cache = cache_of(tiny);
  const Tokens prompt = some_tokens(200);
  lq::Session first = sharing(tiny, cache), second(tiny.model);
  first.set_prompt(prompt);
  CHECK(second.set_prompt(prompt) == 0);
  second.rewind(0);
  second.use_prefix_cache(cache);
  CHECK(second.set_prompt(prompt) == 3 * kPage);
  second.use_prefix_cache(nullptr);
  second.rewind(0);
  CHECK(second.set_prompt(some_tokens(200, 2)) == 0);
  CHECK(cache->stats().entries == 3);

  const auto none = cache_of(tiny, 0);
  lq::Session third = sharing(tiny, none);
  third.set_prompt(prompt);
  CHECK(none->stats().entries == 0);
  CHECK(sharing(tiny, none).set_prompt(prompt) == 0);

  const LoadedTiny other;
  CHECK(code_of([&] { sharing(other, cache); }) == Code::invalid_argument);
}

TEST_CASE("a prompt of whole pages, a longer own prefix and a partly filled own page", "[generate][prefix]") {
  const LoadedTiny tiny;
  const auto cache = cache_of(tiny);
  const Tokens prompt = some_tokens(2 * kPage);
  sharing(tiny, cache).set_prompt(prompt);

  lq::Session whole = sharing(tiny, cache);
  CHECK(whole.set_prompt(prompt) == 2 * kPage);
  CHECK(same_bits(logits_of(whole), fresh_logits(tiny, prompt)));

  lq::Session half = sharing(tiny, cache);
  half.use_prefix_cache(nullptr);
  half.set_prompt(std::span(prompt).first(kPage + 20));
  half.use_prefix_cache(cache);
  CHECK(half.set_prompt(prompt) == 2 * kPage);
  CHECK(same_bits(logits_of(half), fresh_logits(tiny, prompt)));
  half.rewind(kPage + 3);  // into a page that the cache has
  half.feed(some_tokens(30, 4));
  CHECK(same_bits(logits_of(half), fresh_logits(tiny, half.tokens())));
  CHECK(same_bits(logits_of(whole), fresh_logits(tiny, prompt)));
  lq::Session again = sharing(tiny, cache);
  CHECK(again.set_prompt(prompt) == 2 * kPage);
  CHECK(same_bits(logits_of(again), fresh_logits(tiny, prompt)));

  lq::Session fed = sharing(tiny, cache);
  fed.feed(prompt);
  CHECK(same_bits(logits_of(fed), fresh_logits(tiny, prompt)));
  CHECK(cache->stats().hits == 4);
}

TEST_CASE("pages of another cache type, or of the same tokens elsewhere, are not taken", "[generate][prefix]") {
  const LoadedTiny tiny;
  const auto cache = cache_of(tiny);
  const Tokens page = some_tokens(kPage), other = some_tokens(kPage, 2);
  sharing(tiny, cache).set_prompt(joined(page, other));
  lq::SessionOptions o;
  o.kv_type = lq::DType::F32;
  CHECK(sharing(tiny, cache, o).set_prompt(joined(page, other)) == 0);
  CHECK(cache->stats().entries == 4);
  CHECK(sharing(tiny, cache, o).set_prompt(joined(page, other)) == 2 * kPage);
  CHECK(sharing(tiny, cache).set_prompt(joined(other, page)) == 0);
  CHECK(sharing(tiny, cache).set_prompt(joined(page, page)) == kPage);
}

TEST_CASE("equal hashes are not enough", "[generate][prefix]") {
  const LoadedTiny tiny;
  const auto cache = std::make_shared<lq::PrefixCache>(tiny.model, std::size_t{1} << 30, 0);
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    Tokens prompt = some_tokens(180, seed / 2);
    if (seed % 2) prompt[70] = prompt[70] == 9 ? 10 : 9;  // one token of the second page
    lq::Session s = sharing(tiny, cache);
    CHECK(s.set_prompt(prompt) == (seed % 2 ? kPage : 0));
    CHECK(same_bits(logits_of(s), fresh_logits(tiny, prompt)));
  }
  CHECK(cache->stats().entries == 3 * 2 + 3);

  // The same second page after another first one, and the same page in another type of cache.
  cache->clear();
  const Tokens a = some_tokens(kPage, 1), b = some_tokens(kPage, 2), c = some_tokens(kPage, 3);
  sharing(tiny, cache).set_prompt(joined(a, b));
  sharing(tiny, cache).set_prompt(c);
  lq::Session s = sharing(tiny, cache);
  CHECK(s.set_prompt(joined(c, b)) == kPage);
  CHECK(same_bits(logits_of(s), fresh_logits(tiny, joined(c, b))));
  lq::SessionOptions o;
  o.kv_type = lq::DType::F32;
  sharing(tiny, cache, o).set_prompt(a);
  CHECK(cache->stats().entries == 5);
  CHECK(sharing(tiny, cache, o).set_prompt(a) == kPage);
}

TEST_CASE("the least recently used pages go first, and never the middle of a chain", "[generate][prefix]") {
  const LoadedTiny tiny;
  lq::PrefixCacheStats one;
  {
    const auto probe = cache_of(tiny);
    sharing(tiny, probe).set_prompt(some_tokens(kPage + 1));
    one = probe->stats();
  }
  const auto cache = cache_of(tiny, 5 * one.bytes);
  const auto reused = [&](std::uint64_t seed, std::size_t pages) {
    lq::Session s = sharing(tiny, cache);
    const Tokens prompt = some_tokens(pages * kPage + 1, seed);
    const std::size_t n = s.set_prompt(prompt);
    CHECK(same_bits(logits_of(s), fresh_logits(tiny, prompt)));
    CHECK(cache->stats().bytes <= 5 * one.bytes);
    return n / kPage;
  };
  CHECK(reused(1, 2) == 0);
  CHECK(reused(2, 2) == 0);
  CHECK(reused(1, 2) == 2);
  CHECK(reused(3, 3) == 0);  // 7 pages: those of prompt 2 go
  CHECK(cache->stats().entries == 5);
  CHECK(cache->stats().evicted == 2);
  CHECK(reused(1, 2) == 2);
  CHECK(reused(3, 3) == 3);
  CHECK(reused(2, 1) == 0);  // one page more: the second of prompt 1 goes, not its first
  CHECK(reused(1, 2) == 1);
  cache->set_max_bytes(2 * one.bytes);
  CHECK(cache->stats().entries == 2);
  CHECK(reused(1, 2) == 2);  // what was used last is what was kept
  CHECK(reused(4, 3) == 0);  // three pages do not fit: the first two are kept
  CHECK(cache->stats().entries == 2);
  CHECK(reused(4, 3) == 2);
  cache->clear();
  CHECK(cache->stats().entries == 0);
  CHECK(cache->stats().bytes == 0);
  CHECK(reused(4, 1) == 0);
  cache->set_max_bytes(0);
  CHECK(cache->stats().entries == 0);
}

TEST_CASE("sliding, rewinding, forking and batches keep to what the tokens are", "[generate][prefix]") {
  const LoadedTiny tiny;
  const auto cache = cache_of(tiny);
  lq::SessionOptions o;
  o.n_ctx = 160;
  o.overflow = lq::Overflow::slide;
  o.slide_keep = 10;
  lq::Session s = sharing(tiny, cache, o);
  s.start(some_tokens(140), random_options(120));
  run(s);
  CHECK(same_bits(logits_of(s), fresh_logits(tiny, s.tokens())));
  const Tokens slid = s.tokens();
  lq::Session follower = sharing(tiny, cache);
  follower.set_prompt(slid);
  CHECK(same_bits(logits_of(follower), fresh_logits(tiny, slid)));

  lq::Session child = follower.fork();
  child.set_prompt(some_tokens(140));
  CHECK(same_bits(logits_of(child), fresh_logits(tiny, some_tokens(140))));
  CHECK(cache->stats().hits >= 2);  // a fork shares as its parent does

  std::vector<lq::Session> sessions;
  std::vector<lq::Session*> list;
  const Tokens common = some_tokens(130, 77);
  for (std::uint64_t i = 0; i < 3; ++i) sessions.push_back(sharing(tiny, cache));
  const std::size_t before = cache->stats().entries;
  for (std::uint64_t i = 0; i < 3; ++i) {
    sessions[i].start(joined(common, some_tokens(5, i)), random_options(4));
    list.push_back(&sessions[i]);
  }
  lq::Batch batch(tiny.model, 3);
  std::vector<lq::Event> events(3);
  do batch.step(list, events);
  while (std::any_of(events.begin(), events.end(), [](const lq::Event& e) { return e.kind != lq::EventKind::done; }));
  CHECK(cache->stats().entries == before + 2);
  lq::Session late = sharing(tiny, cache);
  late.start(joined(common, some_tokens(5, 1)), random_options(4));
  CHECK(run(late).tokens == sessions[1].output_tokens());
  CHECK(late.result().reused_tokens == 2 * kPage);
}

TEST_CASE("pages live as long as any session or the cache holds them", "[generate][prefix]") {
  const Tokens prompt = some_tokens(150);
  std::unique_ptr<lq::Session> survivor;
  std::vector<float> expected;
  {
    const LoadedTiny tiny;
    expected = fresh_logits(tiny, prompt);
    auto cache = cache_of(tiny);
    sharing(tiny, cache).set_prompt(prompt);
    survivor = std::make_unique<lq::Session>(sharing(tiny, cache));
    CHECK(survivor->set_prompt(prompt) == 2 * kPage);
    cache->clear();
    CHECK(sharing(tiny, cache).set_prompt(prompt) == 0);
    survivor->use_prefix_cache(nullptr);
    cache.reset();
    CHECK(same_bits(logits_of(*survivor), expected));
    survivor->rewind(kPage + 5);
    CHECK(survivor->set_prompt(prompt) == kPage + 5);
    CHECK(same_bits(logits_of(*survivor), expected));
    survivor.reset();
  }
}

TEST_CASE("without memory a page is not kept or not taken, and nothing else happens", "[generate][prefix]") {
  struct Failing {
    std::atomic<bool> on{false};
  } failing;
  lq::ContextOptions o = with_threads(1);
  o.allocator = lq::default_allocator();
  o.allocator.user = &failing;
  o.allocator.allocate = [](void* user, std::size_t n, std::size_t alignment) -> void* {
    if (static_cast<Failing*>(user)->on) return nullptr;
    return lq::default_allocator().allocate(nullptr, n, alignment);
  };
  const LoadedTiny tiny({}, o);
  const auto cache = cache_of(tiny);
  const Tokens prompt = some_tokens(150);
  sharing(tiny, cache).set_prompt(prompt);
  lq::Session s = sharing(tiny, cache);
  failing.on = true;
  CHECK(code_of([&] { s.set_prompt(prompt); }) == Code::out_of_memory);
  CHECK(s.tokens().empty());
  failing.on = false;
  CHECK(s.set_prompt(prompt) == 2 * kPage);
  CHECK(same_bits(logits_of(s), fresh_logits(tiny, prompt)));
}

TEST_CASE("what a session that wipes has shared is wiped when the last holder lets go", "[generate][prefix]") {
  struct Watch {
    std::size_t size = 0, freed = 0, dirty = 0;
  } watch;
  lq::ContextOptions o = with_threads(1);
  o.allocator = lq::default_allocator();
  o.allocator.user = &watch;
  o.allocator.release = [](void* user, void* p, std::size_t n, std::size_t alignment) {
    auto& w = *static_cast<Watch*>(user);
    const auto* c = static_cast<const char*>(p);
    if (n == w.size) ++w.freed;
    if (n == w.size && std::any_of(c, c + n, [](char x) { return x != 0; })) ++w.dirty;
    lq::default_allocator().release(nullptr, p, n, alignment);
  };
  const LoadedTiny tiny({}, o);
  watch.size = page_bytes(tiny);
  const Tokens prompt = some_tokens(2 * kPage);
  lq::SessionOptions wipes;
  wipes.wipe = true;
  {
    auto cache = cache_of(tiny);
    sharing(tiny, cache, wipes).set_prompt(prompt);
    CHECK(watch.freed == 0);  // both pages are the cache's now
    lq::Session other = sharing(tiny, cache);
    CHECK(other.set_prompt(prompt) == 2 * kPage);  // and copies the last page to compute its last token
    cache->clear();
    CHECK(watch.freed == 1);
  }
  CHECK(watch.freed == 3);
  CHECK(watch.dirty == 0);
}

TEST_CASE("sessions on several threads share a small cache and get their own results", "[generate][prefix]") {
  const LoadedTiny tiny({}, with_threads(2));
  const auto cache = cache_of(tiny, 6 * page_bytes(tiny));
  constexpr std::size_t kThreads = 4, kRounds = 12;
  std::vector<Tokens> prompts;
  std::vector<std::vector<float>> expected;
  for (std::uint64_t i = 0; i < 4; ++i) {
    prompts.push_back(joined(some_tokens(130, i / 2), some_tokens(20 + 10 * i, 50 + i)));
    expected.push_back(fresh_logits(tiny, prompts.back()));
  }
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      lq::Session kept = sharing(tiny, cache);
      for (std::size_t round = 0; round < kRounds; ++round) {
        const std::size_t i = (t + round * 3) % prompts.size();
        lq::SessionOptions o;
        o.wipe = round % 2;
        lq::Session fresh = sharing(tiny, cache, o);
        fresh.set_prompt(prompts[i]);
        kept.set_prompt(prompts[i]);
        wrong += !same_bits(logits_of(fresh), expected[i]);
        wrong += !same_bits(logits_of(kept), expected[i]);
        kept.rewind(70);  // into a page that others may be reading, then over it
        kept.feed(some_tokens(3, t));
        if (t == 0 && round % 4 == 3) cache->clear();
        if (t == 1) cache->set_max_bytes((3 + round % 4) * page_bytes(tiny));
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(wrong == 0);
  CHECK(cache->stats().hits > 0);
}

TEST_CASE("the default model gives the same bits with a hit and without", "[generate][prefix]") {
  LQ_NEED_FILE(model_path());
  const auto model = lq::Model::load(std::make_shared<lq::Context>(), model_path());
  const auto cache = std::make_shared<lq::PrefixCache>(model, std::size_t{64} << 20);
  const auto make = [&](std::uint64_t seed) {
    Tokens t(300, 0);
    for (std::size_t i = 0; i < t.size(); ++i)
      t[i] = static_cast<std::int32_t>(500 + (i < 200 ? i * 7 : i * seed) % 9000);
    return t;
  };
  for (std::uint64_t seed = 11; seed < 14; ++seed) {
    lq::Session plain(model), shares(model);
    shares.use_prefix_cache(cache);
    CHECK(plain.set_prompt(make(seed)) == 0);
    CHECK(shares.set_prompt(make(seed)) == (seed == 11 ? 0 : 192));
    CHECK(same_bits(logits_of(plain), logits_of(shares)));
  }
}
