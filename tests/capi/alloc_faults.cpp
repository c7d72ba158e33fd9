// Fails the k-th allocation of the process, for every k, in the life of a model through the C interface: context, load,
// tokenize, template, shared prompts, scores, a token, save, restore, quantise, merge. Each run must end with LQ_OK or
// LQ_ERR_OUT_OF_MEMORY and a message, leave no block behind, and the same run without a failure must then give the same
// tokens. Once with that one allocation failing and once with all from there on. malloc and its relatives are replaced
// in this executable, so operator new, the C++ run-time and the C library are in it too.
//
//   alloc_faults [STRIDE]     every STRIDE-th k (1)
#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "loquor.h"
#include "tiny_adapter.hpp"
#include "tiny_model.hpp"

namespace {

std::atomic<bool> armed{false};
std::atomic<bool> persistent{false};
std::atomic<long> countdown{0};
std::atomic<long> made{0};  // allocations while armed
std::atomic<long> live{0};  // blocks

bool refuse() {
  if (!armed.load(std::memory_order_relaxed)) return false;
  made.fetch_add(1, std::memory_order_relaxed);
  const long left = countdown.fetch_sub(1, std::memory_order_relaxed);
  return left == 0 || (left < 0 && persistent.load(std::memory_order_relaxed));
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void __libc_free(void*);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static void* counted(void* p) {
  if (p) live.fetch_add(1, std::memory_order_relaxed);
  return p;
}
static void* refused() {
  errno = ENOMEM;
  return nullptr;
}
void* malloc(size_t n) { return refuse() ? refused() : counted(__libc_malloc(n)); }
void* calloc(size_t n, size_t m) { return refuse() ? refused() : counted(__libc_calloc(n, m)); }
void* memalign(size_t a, size_t n) { return refuse() ? refused() : counted(__libc_memalign(a, n)); }
void* aligned_alloc(size_t a, size_t n) { return memalign(a, n); }
int posix_memalign(void** out, size_t a, size_t n) {
  *out = memalign(a, n);
  return *out ? 0 : ENOMEM;
}
void* realloc(void* old, size_t n) {
  if (refuse()) return refused();
  void* p = __libc_realloc(old, n);
  if (p && !old) live.fetch_add(1, std::memory_order_relaxed);
  return p;
}
void free(void* p) {
  if (p) live.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(p);
}
}

namespace {

// The model as a file, and what it is quantised to.
std::string source_path, target_path, adapter_path;

struct Outcome {
  lq_status status = LQ_OK;
  int32_t tokens[8] = {};
  size_t count = 0;
  bool operator==(const Outcome& o) const {
    return status == o.status && count == o.count && std::memcmp(tokens, o.tokens, sizeof tokens) == 0;
  }
};

// Everything a small host does. Allocates nothing itself.
Outcome life(const std::string& file, uint32_t threads, char* state, size_t state_capacity) {
  Outcome out;
  lq_context* context = nullptr;
  lq_model* model = nullptr;
  lq_session *session = nullptr, *fork = nullptr;
  lq_sampler* sampler = nullptr;
  lq_prefix_cache* prefixes = nullptr;
  lq_grammar* grammar = nullptr;
  const char* const choices[] = {"one", "two", "onwards"};
  lq_prefix_cache_options p = LQ_PREFIX_CACHE_OPTIONS_INIT;
  p.max_bytes = 1 << 20;
  lq_context_options c = LQ_CONTEXT_OPTIONS_INIT;
  c.threads = threads;
  lq_generate_options g = LQ_GENERATE_OPTIONS_INIT;
  g.max_tokens = 6;
  g.logprobs = 3;
  g.ignore_end = 1;
  const char* const stop[] = {"never comes"};
  g.stop = stop;
  g.stop_count = 1;
  lq_message m = LQ_MESSAGE_INIT;
  m.role = "user";
  m.content = "hello the inner";
  int32_t ids[64], prompt[130];
  float scores[2];
  double sum = 0;
  const int32_t* made_tokens = nullptr;
  size_t n = 0, length = 0;
  char text[64];
  const char* const adapter = adapter_path.c_str();
#define STEP(call) \
  if (out.status == LQ_OK) out.status = (call)
  STEP(lq_context_create(&context, &c));
  STEP(lq_model_load_memory(&model, context, file.data(), file.size(), nullptr));
  STEP(lq_tokenize(ids, 64, &n, model, "hello the inner", LQ_NTS, nullptr));
  STEP(lq_detokenize(text, sizeof text, nullptr, model, ids, n, nullptr));
  STEP(lq_sampler_create(&sampler));
  STEP(lq_sampler_add(sampler, "top_k", 20));
  STEP(lq_sampler_add(sampler, "temperature", 0.9));
  const int32_t often = 70;
  const float much = 1000, none = 0;
  STEP(lq_sampler_bias(sampler, &often, &much, 1));  // first the same token each time, so that some are computed ahead
  g.sampler = sampler;
  STEP(lq_session_create(&session, model, nullptr));
  STEP(lq_prefix_cache_create(&prefixes, model, &p));
  STEP(lq_session_use_prefix_cache(session, prefixes));
  // Two prompts that begin alike, of two pages each; both sessions with little memory for the second.
  for (int32_t& id : prompt) id = 70;
  STEP(lq_session_set_prompt(nullptr, session, prompt, 130));
  STEP(lq_session_fork(&fork, session));
  STEP(lq_session_rewind(fork, 0));
  prompt[129] = 71;
  STEP(lq_session_logits_of(scores, nullptr, fork, prompt, 130, prompt, 2));
  STEP(lq_session_score(&sum, nullptr, fork, prompt, 20));
  lq_session_free(fork);
  fork = nullptr;
  STEP(lq_session_chat(nullptr, session, &m, 1, nullptr, &g, nullptr, nullptr));
  STEP(lq_session_save(state, state_capacity, &length, session));
  STEP(lq_session_fork(&fork, session));
  STEP(lq_session_load(fork, state, length));
  STEP(lq_sampler_bias(sampler, &often, &none, 1));
  STEP(lq_session_generate(nullptr, fork, nullptr, 0, &g, nullptr, nullptr));
  STEP(lq_session_output_tokens(&made_tokens, &out.count, fork));
  STEP(lq_grammar_from_choices(&grammar, choices, 3));
  g.grammar = grammar;
  STEP(lq_session_generate(nullptr, fork, nullptr, 0, &g, nullptr, nullptr));
  STEP(lq_session_output_tokens(&made_tokens, &out.count, fork));
  STEP(lq_quantize(nullptr, context, source_path.c_str(), target_path.c_str(), "q4_0", nullptr));
  STEP(lq_merge_adapters(nullptr, context, source_path.c_str(), target_path.c_str(), nullptr, &adapter, nullptr, 1,
                         nullptr));
#undef STEP
  if (out.status == LQ_OK) std::memcpy(out.tokens, made_tokens, std::min<size_t>(out.count, 8) * 4);
  if (out.status != LQ_OK) out.count = 0;
  lq_session_free(fork);
  lq_session_free(session);
  lq_sampler_free(sampler);
  lq_prefix_cache_free(prefixes);
  lq_grammar_free(grammar);
  lq_model_free(model);
  lq_context_free(context);
  return out;
}

struct Run {
  Outcome outcome;
  long allocations, leaked;
};

Run run(const std::string& file, uint32_t threads, std::vector<char>& state, long k, bool all_after) {
  const long before = live;
  countdown = k;
  persistent = all_after;
  made = 0;
  armed = true;
  const Outcome outcome = life(file, threads, state.data(), state.size());
  armed = false;
  return {outcome, made, live - before};
}

int check(const std::string& file, uint32_t threads, long stride) {
  std::vector<char> state(1 << 20);
  constexpr long kNever = 1L << 60;
  // Makes what is made once in a process or thread: the table of handles, the buffer of the last error.
  run(file, threads, state, kNever, false);
  lq_context_threads(nullptr, nullptr);
  const Run good = run(file, threads, state, kNever, false);
  if (good.outcome.status != LQ_OK || good.leaked != 0) {
    std::printf("without failures: %s (%s), %ld blocks left\n", lq_status_name(good.outcome.status), lq_last_error(),
                good.leaked);
    return 1;
  }
  long failures = 0, survived = 0;
  for (long k = 0; k < good.allocations; k += stride)
    for (const bool all_after : {false, true}) {
      const Run r = run(file, threads, state, k, all_after);
      const bool clean = r.outcome.status == LQ_ERR_OUT_OF_MEMORY || r.outcome == good.outcome;
      survived += r.outcome.status == LQ_OK;
      if (clean && r.leaked == 0 && (r.outcome.status == LQ_OK || std::strlen(lq_last_error()) > 0)) continue;
      if (++failures <= 20)
        std::printf("allocation %ld%s: %s (%s), %ld blocks left\n", k, all_after ? " and on" : "",
                    lq_status_name(r.outcome.status), lq_last_error(), r.leaked);
    }
  const Run again = run(file, threads, state, kNever, false);
  if (!(again.outcome == good.outcome) || again.leaked != 0) {
    std::printf("a run after all the failures differs\n");
    ++failures;
  }
  std::printf(
      "%u threads: %ld allocations, each failed once alone and once with all after it: %ld wrong, %ld did without\n",
      threads, good.allocations, failures, survived);
  return failures != 0;
}

}  // namespace

int main(int argc, char** argv) {
  const long stride = argc > 1 ? std::max(1L, std::atol(argv[1])) : 1;
  const std::string file = lq_test::TinyModel().gguf();
  source_path = "/tmp/lq_alloc_faults_" + std::to_string(getpid()) + ".gguf";
  target_path = source_path + ".quantized";
  adapter_path = source_path + ".adapter";
  std::ofstream(source_path, std::ios::binary) << file;
  lq_test::write_adapter(adapter_path, 0.5f);
  const int failed = check(file, 1, stride) | check(file, 2, stride);
  unlink(source_path.c_str());
  unlink(target_path.c_str());
  unlink(adapter_path.c_str());
  return failed;
}
