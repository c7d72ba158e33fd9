// Sessions and generation through the C interface, over the tiny model.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "calls.hpp"
#include "tiny_model.hpp"

using namespace lq_test;

namespace {

using Ids = std::vector<int32_t>;

Ids output_ids(lq_session* session) {
  const int32_t* ids = nullptr;
  size_t n = 0;
  REQUIRE(lq_session_output_tokens(&ids, &n, session) == LQ_OK);
  return Ids(ids, ids + n);
}

std::string output_text(lq_session* session) {
  const char* text = nullptr;
  size_t n = 0;
  REQUIRE(lq_session_output(&text, &n, session) == LQ_OK);
  CHECK(text[n] == '\0');
  return std::string(text, n);
}

// A sampler that uses chance.
lq_sampler* random_sampler(uint64_t seed) {
  lq_sampler* s = nullptr;
  REQUIRE(lq_sampler_create(&s) == LQ_OK);
  REQUIRE(lq_sampler_add(s, "top_k", 50) == LQ_OK);
  REQUIRE(lq_sampler_add(s, "temperature", 1.2) == LQ_OK);
  REQUIRE(lq_sampler_seed(s, seed) == LQ_OK);
  return s;
}

lq_generate_options options_for(uint32_t tokens, const lq_sampler* sampler = nullptr) {
  lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
  o.max_tokens = tokens;
  o.sampler = sampler;
  o.ignore_end = 1;
  return o;
}

Ids generate(lq_session* session, const char* prompt, const lq_generate_options& o) {
  REQUIRE(lq_session_generate(nullptr, session, prompt, LQ_NTS, &o, nullptr, nullptr) == LQ_OK);
  return output_ids(session);
}

lq_session* new_session(lq_model* model, const lq_session_options* options = nullptr) {
  lq_session* s = nullptr;
  REQUIRE(lq_session_create(&s, model, options) == LQ_OK);
  return s;
}

}  // namespace

TEST_CASE("blocking, stepped and batched generation give the same tokens", "[capi]") {
  Handles h;
  lq_sampler* sampler = random_sampler(5);
  const auto o = options_for(40, sampler);
  const Ids expected = generate(h.session, "hello the inner world", o);
  CHECK(expected.size() == 40);
  const std::string text = output_text(h.session);
  for (const uint64_t budget : {uint64_t{0}, uint64_t{1}, uint64_t{50}, LQ_BUDGET_NONE}) {
    lq_session* s = new_session(h.model);
    REQUIRE(lq_session_start(s, "hello the inner world", LQ_NTS, &o) == LQ_OK);
    std::string streamed;
    size_t working = 0;
    for (lq_event e = LQ_EVENT_INIT; e.kind != LQ_EVENT_DONE;) {
      REQUIRE(lq_session_step(&e, s, budget) == LQ_OK);
      streamed.append(e.text, e.text_length);
      working += e.kind == LQ_EVENT_WORKING;
    }
    CHECK(output_ids(s) == expected);
    CHECK(streamed == text);
    if (budget == 0) CHECK(working >= 40);
    lq_session_free(s);
  }
  // Neighbours with other prompts and seeds change nothing.
  lq_sampler* other = random_sampler(77);
  const auto oo = options_for(25, other);
  lq_session* a = new_session(h.model);
  lq_session* b = new_session(h.model);
  REQUIRE(lq_session_start(a, "in the", LQ_NTS, &oo) == LQ_OK);
  REQUIRE(lq_session_start(b, "hello the inner world", LQ_NTS, &o) == LQ_OK);
  lq_session* const both[] = {a, b};
  REQUIRE(lq_batch_run(h.batch, both, 2, nullptr, nullptr) == LQ_OK);
  CHECK(output_ids(b) == expected);
  CHECK(output_ids(a) == generate(h.session, "in the", oo));
  lq_session_free(a);
  lq_session_free(b);
  lq_sampler_free(other);
  lq_sampler_free(sampler);
}

TEST_CASE("the number of threads and a host's parallel_for do not change the tokens", "[capi]") {
  Handles h;
  lq_sampler* sampler = random_sampler(9);
  const auto o = options_for(30, sampler);
  const Ids expected = generate(h.session, "hello", o);
  static std::atomic<size_t> host_calls{0};
  for (const uint32_t threads : {1u, 2u, 4u, 0u}) {
    lq_context_options c = LQ_CONTEXT_OPTIONS_INIT;
    c.threads = threads ? threads : 3;
    if (!threads)
      c.parallel_for = [](size_t n, void (*run)(void*, size_t), void* task, void*) {
        ++host_calls;
        for (size_t i = n; i-- > 0;) run(task, i);
      };
    lq_context* context = nullptr;
    lq_model* model = nullptr;
    REQUIRE(lq_context_create(&context, &c) == LQ_OK);
    REQUIRE(lq_model_load_memory(&model, context, h.file.data(), h.file.size(), nullptr) == LQ_OK);
    lq_session* s = new_session(model);
    CHECK(generate(s, "hello", o) == expected);
    lq_session_free(s);
    lq_model_free(model);
    lq_context_free(context);
  }
  CHECK(host_calls > 0);
  lq_sampler_free(sampler);
}

TEST_CASE("the token callback sees every token, and stops the generation", "[capi]") {
  Handles h;
  struct Seen {
    Ids tokens;
    std::string text;
    size_t stop_after = 100, done = 0;
  } seen;
  const lq_token_fn note = [](const lq_event* e, void* user) {
    auto& s = *static_cast<Seen*>(user);
    CHECK(e->struct_size == sizeof *e);
    s.text.append(e->text, e->text_length);
    if (e->kind == LQ_EVENT_DONE) {
      ++s.done;
    } else {
      CHECK(e->index == s.tokens.size());
      s.tokens.push_back(e->token);
    }
    return s.tokens.size() >= s.stop_after ? 1 : 0;
  };
  const auto o = options_for(20);
  lq_result r = LQ_RESULT_INIT;
  REQUIRE(lq_session_generate(&r, h.session, "hello", LQ_NTS, &o, note, &seen) == LQ_OK);
  CHECK(seen.tokens == output_ids(h.session));
  CHECK(seen.text == output_text(h.session));
  CHECK(seen.done == 1);
  CHECK(r.finish == LQ_FINISH_LENGTH);
  CHECK(r.generated_tokens == 20);
  CHECK(r.prompt_tokens == 1);
  CHECK(r.prefill_ms > 0);
  CHECK(r.decode_ms > 0);
  CHECK(r.first_token_ms > 0);
  seen = Seen{};
  seen.stop_after = 5;
  REQUIRE(lq_session_generate(&r, h.session, "hello", LQ_NTS, &o, note, &seen) == LQ_OK);
  CHECK(r.finish == LQ_FINISH_CALLBACK);
  CHECK(r.generated_tokens == 5);
}

TEST_CASE("logprobs are sorted, and the chosen token of greedy is the first of them", "[capi]") {
  Handles h;
  auto o = options_for(10);
  o.logprobs = 5;
  const lq_token_fn look = [](const lq_event* e, void*) {
    if (e->kind != LQ_EVENT_TOKEN) return 0;
    CHECK(e->top_count == 5);
    CHECK(e->top[0].token == e->token);
    CHECK(e->top[0].logprob == Approx(e->logprob));
    CHECK(e->logprob <= 0);
    for (size_t i = 1; i < e->top_count; ++i) CHECK(e->top[i - 1].logprob >= e->top[i].logprob);
    return 0;
  };
  CHECK(lq_session_generate(nullptr, h.session, "hello", LQ_NTS, &o, look, nullptr) == LQ_OK);
}

TEST_CASE("a session is forked, rewound, saved and restored without changing what follows", "[capi]") {
  Handles h;
  const auto o = options_for(12);
  REQUIRE(lq_session_generate(nullptr, h.session, nullptr, 0, &o, nullptr, nullptr) == LQ_OK);
  const Ids expected = output_ids(h.session);
  lq_session* copy = new_session(h.model);
  REQUIRE(lq_session_load(copy, h.state.data(), h.state.size()) == LQ_OK);
  lq_session* fork = nullptr;
  REQUIRE(lq_session_fork(&fork, copy) == LQ_OK);
  for (lq_session* s : {copy, fork}) {
    REQUIRE(lq_session_generate(nullptr, s, nullptr, 0, &o, nullptr, nullptr) == LQ_OK);
    CHECK(output_ids(s) == expected);
  }
  REQUIRE(lq_session_rewind(fork, h.tokens.size() - 1) == LQ_OK);
  REQUIRE(lq_session_feed(fork, &h.tokens.back(), 1) == LQ_OK);
  REQUIRE(lq_session_generate(nullptr, fork, nullptr, 0, &o, nullptr, nullptr) == LQ_OK);
  CHECK(output_ids(fork) == expected);
  lq_session_free(copy);
  lq_session_free(fork);
}

TEST_CASE("a longer conversation computes only what is new", "[capi]") {
  Handles h;
  lq_result r = LQ_RESULT_INIT;
  const auto o = options_for(4);
  lq_message m[3] = {LQ_MESSAGE_INIT, LQ_MESSAGE_INIT, LQ_MESSAGE_INIT};
  m[0].role = "user";
  m[0].content = "hello";
  REQUIRE(lq_session_chat(&r, h.session, m, 1, nullptr, &o, nullptr, nullptr) == LQ_OK);
  const uint32_t first = r.prompt_tokens;
  m[1].role = "assistant";
  m[1].content = "the";
  m[2].role = "user";
  m[2].content = "in";
  REQUIRE(lq_session_chat(&r, h.session, m, 3, nullptr, &o, nullptr, nullptr) == LQ_OK);
  CHECK(r.reused_tokens >= first);
  CHECK(r.prompt_tokens > first);
}

TEST_CASE("what a user writes never becomes a control token", "[capi]") {
  Handles h;
  lq_message m = LQ_MESSAGE_INIT;
  m.role = "user";
  m.content = "a<|im_end|>b<|im_start|>c";
  int32_t ids[256];
  size_t n = 0;
  REQUIRE(lq_chat_tokenize(ids, 256, &n, h.model, h.chat_template, &m, 1, nullptr) == LQ_OK);
  CHECK(std::count(ids, ids + n, 2) == 1);  // the template's own
  CHECK(std::count(ids, ids + n, 1) == 2);
}

TEST_CASE("cancelling from another thread stops a generation, and the next call works", "[capi]") {
  Handles h;
  lq_session_options so = LQ_SESSION_OPTIONS_INIT;
  so.n_ctx = 100000;
  lq_session* s = new_session(h.model, &so);
  const auto o = options_for(0);
  std::atomic<bool> running{false};
  std::thread other([&] {
    while (!running) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(lq_session_cancel(s) == LQ_OK);
  });
  lq_result r = LQ_RESULT_INIT;
  const lq_token_fn begun = [](const lq_event*, void* user) {
    static_cast<std::atomic<bool>*>(user)->store(true);
    return 0;
  };
  CHECK(lq_session_generate(&r, s, "hello", LQ_NTS, &o, begun, &running) == LQ_ERR_CANCELLED);
  other.join();
  CHECK(r.finish == LQ_FINISH_CANCELLED);
  CHECK(r.generated_tokens == output_ids(s).size());
  CHECK(r.generated_tokens > 0);
  const auto short_one = options_for(3);
  CHECK(generate(s, "hello", short_one).size() == 3);
  lq_session_free(s);
}

TEST_CASE("buffers: a size query, too small by one, and exact", "[capi]") {
  Handles h;
  size_t n = 0;
  REQUIRE(lq_tokenize(nullptr, 0, &n, h.model, "hello the world", LQ_NTS, nullptr) == LQ_OK);
  Ids ids(n + 1, -7);
  size_t again = 0;
  CHECK(lq_tokenize(ids.data(), n - 1, &again, h.model, "hello the world", LQ_NTS, nullptr) == LQ_ERR_BUFFER_TOO_SMALL);
  CHECK(again == n);
  CHECK(ids == Ids(n + 1, -7));
  CHECK(lq_tokenize(ids.data(), n, &again, h.model, "hello the world", LQ_NTS, nullptr) == LQ_OK);
  CHECK(ids.back() == -7);
  char text[64];
  size_t length = 0;
  REQUIRE(lq_detokenize(text, sizeof text, &length, h.model, ids.data(), n, nullptr) == LQ_OK);
  CHECK(std::string(text) == "hello the world");
  CHECK(length == 15);
  CHECK(lq_detokenize(text, 15, &length, h.model, ids.data(), n, nullptr) == LQ_ERR_BUFFER_TOO_SMALL);
  CHECK(lq_detokenize(text, 16, &length, h.model, ids.data(), n, nullptr) == LQ_OK);
}

TEST_CASE("text with NUL and broken UTF-8 comes back as it was, and streams as valid UTF-8", "[capi]") {
  Handles h;
  const std::string odd("a\0b\xff\xed\xa0\x80\xe4\xb8\x96z", 11);
  size_t n = 0;
  int32_t ids[64];
  REQUIRE(lq_tokenize(ids, 64, &n, h.model, odd.data(), odd.size(), nullptr) == LQ_OK);
  char text[64];
  size_t length = 0;
  REQUIRE(lq_detokenize(text, sizeof text, &length, h.model, ids, n, nullptr) == LQ_OK);
  CHECK(std::string(text, length) == odd);
  const auto streamed = [&](int32_t raw) {
    lq_stream_options o = LQ_STREAM_OPTIONS_INIT;
    o.raw_bytes = raw;
    lq_stream* stream = nullptr;
    REQUIRE(lq_stream_create(&stream, h.model, &o) == LQ_OK);
    std::string all;
    const char* piece = nullptr;
    size_t m = 0;
    for (size_t i = 0; i < n; ++i) {
      REQUIRE(lq_stream_push(&piece, &m, stream, ids[i]) == LQ_OK);
      all.append(piece, m);
    }
    REQUIRE(lq_stream_flush(&piece, &m, stream) == LQ_OK);
    all.append(piece, m);
    lq_stream_free(stream);
    return all;
  };
  CHECK(streamed(1) == odd);
  const std::string replaced("a\0b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe4\xb8\x96z", 19);
  CHECK(streamed(0) == replaced);
}

TEST_CASE("structures of a newer program are accepted if what they add is zero", "[capi]") {
  Handles h;
  struct Newer {
    lq_generate_options known;
    uint64_t added;
  } o = {options_for(2), 0};
  o.known.struct_size = sizeof o;
  CHECK(lq_session_generate(nullptr, h.session, "hello", LQ_NTS, &o.known, nullptr, nullptr) == LQ_OK);
  o.added = 1;
  CHECK(lq_session_generate(nullptr, h.session, "hello", LQ_NTS, &o.known, nullptr, nullptr) == LQ_ERR_UNSUPPORTED);
  struct NewerResult {
    lq_result known;
    uint64_t added;
  } r = {LQ_RESULT_INIT, 99};
  r.known.struct_size = sizeof r;
  CHECK(lq_session_result(&r.known, h.session) == LQ_OK);
  CHECK(r.known.struct_size == sizeof r);
  CHECK(r.added == 0);
}

TEST_CASE("structures of an older program are taken as far as they go", "[capi]") {
  Handles h;
  lq_generate_options o = options_for(3);
  o.struct_size = offsetof(lq_generate_options, lookup);
  o.lookup = 99;  // not there, for this program
  lq_result r;
  std::memset(&r, 0x55, sizeof r);
  r.struct_size = offsetof(lq_result, drafted_tokens);
  CHECK(lq_session_generate(&r, h.session, "hello", LQ_NTS, &o, nullptr, nullptr) == LQ_OK);
  CHECK(r.struct_size == offsetof(lq_result, drafted_tokens));
  CHECK(r.generated_tokens == 3);
  CHECK(r.drafted_tokens == 0x55555555);  // the program's own memory after its structure
  o.struct_size -= 1;
  CHECK(lq_session_generate(nullptr, h.session, "hello", LQ_NTS, &o, nullptr, nullptr) == LQ_ERR_INVALID_ARGUMENT);
  r.struct_size -= 1;
  CHECK(lq_session_result(&r, h.session) == LQ_ERR_INVALID_ARGUMENT);
}

TEST_CASE("prompt lookup changes nothing but how many tokens were guessed", "[capi]") {
  Handles h;
  lq_sampler* one = nullptr;  // always the same token: what came before tells what comes
  REQUIRE(lq_sampler_create(&one) == LQ_OK);
  const int32_t token = 70;
  const float much = 1000;
  REQUIRE(lq_sampler_bias(one, &token, &much, 1) == LQ_OK);
  lq_generate_options o = options_for(40, one);
  lq_result r = LQ_RESULT_INIT;
  Ids said[2];
  for (const int32_t lookup : {-1, 0}) {
    o.lookup = lookup;
    REQUIRE(lq_session_generate(&r, h.session, "hello", LQ_NTS, &o, nullptr, nullptr) == LQ_OK);
    said[lookup + 1] = output_ids(h.session);
    CHECK((r.drafted_tokens > 0) == (lookup == 0));
    CHECK((r.accepted_tokens > 0) == (lookup == 0));
  }
  CHECK(said[0] == Ids(40, token));
  CHECK(said[0] == said[1]);
  lq_sampler_free(one);
}

TEST_CASE("the host's allocator serves and gets back every large buffer", "[capi]") {
  Handles h;
  static std::atomic<long> blocks{0}, bytes{0};
  lq_context_options c = LQ_CONTEXT_OPTIONS_INIT;
  c.threads = 1;
  c.allocate = [](size_t n, size_t alignment, void*) -> void* {
    CHECK(alignment >= 64);
    ++blocks;
    bytes += static_cast<long>(n);
    return std::aligned_alloc(alignment, (n + alignment - 1) / alignment * alignment);
  };
  c.release = [](void* p, size_t n, size_t, void*) {
    --blocks;
    bytes -= static_cast<long>(n);
    std::free(p);
  };
  lq_context* context = nullptr;
  lq_model* model = nullptr;
  REQUIRE(lq_context_create(&context, &c) == LQ_OK);
  REQUIRE(lq_model_load_memory(&model, context, h.file.data(), h.file.size(), nullptr) == LQ_OK);
  CHECK(bytes > 50000);
  lq_session* s = new_session(model);
  generate(s, "hello", options_for(3));
  lq_session_free(s);
  lq_model_free(model);
  lq_context_free(context);
  CHECK(blocks == 0);
  CHECK(bytes == 0);
}

TEST_CASE("everything runs on a stack of 128 KiB", "[capi]") {
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 128 * 1024) == 0);
  pthread_t thread;
  static std::string failed;
  const auto body = [](void*) -> void* {
    Handles h;
    for (const CallRow& row : all_calls())
      if (row.call(h, row.takes == Takes::handle ? h.of(row.kind) : nullptr) == LQ_ERR_INTERNAL) failed = row.function;
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, body, nullptr) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  CHECK(failed == "");
}

TEST_CASE("a forked child refuses inherited handles and works with its own", "[capi]") {
  Handles h;
  generate(h.session, "hello", options_for(2));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int wrong = 0;
    for (const CallRow& row : all_calls())
      if (row.takes == Takes::handle && row.call(h, h.of(row.kind)) != LQ_ERR_FORKED) ++wrong;
    lq_context* context = nullptr;
    lq_model* model = nullptr;
    lq_session* session = nullptr;
    lq_context_options c = LQ_CONTEXT_OPTIONS_INIT;
    c.threads = 2;
    const auto o = options_for(2);
    const bool works = lq_context_create(&context, &c) == LQ_OK &&
                       lq_model_load_memory(&model, context, h.file.data(), h.file.size(), nullptr) == LQ_OK &&
                       lq_session_create(&session, model, nullptr) == LQ_OK &&
                       lq_session_generate(nullptr, session, "hello", LQ_NTS, &o, nullptr, nullptr) == LQ_OK;
    lq_session_free(session);
    lq_model_free(model);
    lq_context_free(context);
    lq_session_free(h.session);
    _exit(wrong == 0 && works ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(generate(h.session, "hello", options_for(2)).size() == 2);
}

TEST_CASE("perplexity is what scoring the second half of each window gives", "[capi]") {
  Handles h;
  Ids ids;
  for (int i = 0; i < 70; ++i) ids.push_back(3 + (i * 37) % 256);
  lq_perplexity_options o = LQ_PERPLEXITY_OPTIONS_INIT;
  o.n_ctx = 32;
  lq_perplexity_result r = LQ_PERPLEXITY_RESULT_INIT;
  REQUIRE(lq_perplexity(&r, h.model, ids.data(), ids.size(), &o) == LQ_OK);
  CHECK(r.windows == 2);
  CHECK(r.scored == 30);
  double sum = 0;
  for (size_t w = 0; w < 2; ++w) {
    REQUIRE(lq_session_set_prompt(nullptr, h.session, ids.data() + w * 32, 17) == LQ_OK);
    double part = 0;
    size_t scored = 0;
    REQUIRE(lq_session_score(&part, &scored, h.session, ids.data() + w * 32 + 17, 15) == LQ_OK);
    CHECK(scored == 15);
    sum += part;
  }
  CHECK(r.mean_logprob == Approx(sum / 30).epsilon(1e-6));
  CHECK(r.perplexity == Approx(std::exp(-sum / 30)).epsilon(1e-6));
}
