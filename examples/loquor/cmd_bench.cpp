// loquor bench: prefill and decode speed, as medians over repetitions.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  Common common;
  unsigned prompt_tokens = 512, gen_tokens = 128, depth = 0, batch = 1, chunk = 0, reps = 5;
  std::string kv_type = "f16";
  int lookup = 0;  // a token a pass is what is measured, unless asked otherwise
  bool profile = false;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// Tokens that are plain and not all alike: speed does not depend on them, but equal ones would flatter caches.
loquor::Tokens make_tokens(const loquor::Model& model, std::size_t n, std::uint64_t seed) {
  const std::uint64_t vocab = model.vocab_size();
  loquor::Tokens tokens;
  std::uint64_t x = seed * 2 + 1;
  while (tokens.size() < n) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    const auto id = static_cast<std::int32_t>((x >> 33) % vocab);
    if (model.token_kind(id) == LQ_TOKEN_NORMAL) tokens.push_back(id);
  }
  return tokens;
}

// Milliseconds, their share, and what a part reads of the model and the cache, of one run.
void print_profile(const char* title, const std::vector<lq_profile_part>& parts, double seconds) {
  std::printf("\n%-14s %10s %7s %9s %10s %8s\n", title, "ms", "share", "calls", "MB", "GB/s");
  double rest = seconds;
  for (const lq_profile_part& p : parts) {
    if (p.calls == 0) continue;
    rest -= p.seconds;
    std::printf("%-14s %10.2f %6.1f%% %9llu", p.name, 1e3 * p.seconds, 100 * p.seconds / seconds,
                static_cast<unsigned long long>(p.calls));
    if (p.bytes > 0) std::printf(" %10.1f %8.1f", p.bytes / 1e6, p.bytes / p.seconds / 1e9);
    std::printf("\n");
  }
  std::printf("%-14s %10.2f %6.1f%%\n%-14s %10.2f\n", "the rest", 1e3 * rest, 100 * rest / seconds, "total",
              1e3 * seconds);
}

class Bench {
 public:
  Bench(const Options& o, const loquor::Model& model) : options_(o), batch_(model, o.batch) {
    loquor::SessionOptions so;
    so.n_ctx = o.depth + std::max(o.prompt_tokens, 1u) + o.gen_tokens + 2;
    so.kv_type = o.kv_type;
    so.prefill_chunk = o.chunk;
    for (unsigned i = 0; i < o.batch; ++i) {
      sessions_.push_back(std::make_unique<loquor::Session>(model, so));
      depth_tokens_.push_back(make_tokens(model, std::max(o.depth, 1u), i + 1));
    }
    prompt_ = make_tokens(model, o.prompt_tokens, 99);
  }

  // Tokens per second of reading the prompt after `depth` tokens.
  double prefill() {
    loquor::Session& s = *sessions_[0];
    s.rewind(0);
    if (options_.depth) s.feed(depth_tokens_[0]);
    const auto start = Clock::now();
    s.feed(prompt_);
    return static_cast<double>(prompt_.size()) / seconds_since(start);
  }

  // Tokens per second of all sessions together, generating greedily after `depth` tokens (at least one).
  double decode() {
    loquor::GenerateOptions g;
    g.max_tokens = options_.gen_tokens + 1;  // the first comes from prefill
    g.ignore_end = true;
    g.lookup = lookup_option(options_.lookup);
    g.cancel = &interrupt();
    std::vector<loquor::Session*> raw;
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
      sessions_[i]->start(depth_tokens_[i], g);
      raw.push_back(sessions_[i].get());
      while (sessions_[i]->step().kind() == LQ_EVENT_WORKING) {
      }
    }
    const auto start = Clock::now();
    std::size_t made = 0;
    for (bool going = true; going;) {
      going = false;
      if (raw.size() == 1) {
        const loquor::Event e = raw[0]->step();
        made += e.kind() == LQ_EVENT_TOKEN;
        going = !e.done();
      } else {
        for (const loquor::Event& e : batch_.step(raw)) {
          made += e.kind() == LQ_EVENT_TOKEN;
          going = going || !e.done();
        }
      }
    }
    return static_cast<double>(made) / seconds_since(start);
  }

  // Where the time of one more `run` (prefill or decode) goes.
  void profile(const char* title, double (Bench::*run)()) {
    loquor::Session& s = *sessions_[0];
    s.rewind(0);
    if (run == &Bench::decode && options_.depth) s.feed(depth_tokens_[0]);  // only what is generated is of interest
    s.profile(true);
    const auto start = Clock::now();
    (this->*run)();
    print_profile(title, s.profile(), seconds_since(start));
    s.profile(false);
  }

 private:
  const Options& options_;
  loquor::Batch batch_;
  std::vector<std::unique_ptr<loquor::Session>> sessions_;
  std::vector<loquor::Tokens> depth_tokens_;
  loquor::Tokens prompt_;
};

int run(const Options& o) {
  const loquor::Model model = o.common.load();
  Bench bench(o, model);
  std::vector<double> prefill, decode;
  for (unsigned rep = 0; rep <= o.reps; ++rep) {  // the first one warms up and is not counted
    const double p = o.prompt_tokens ? bench.prefill() : 0, d = o.gen_tokens ? bench.decode() : 0;
    if (interrupt().is_set()) return kInterrupted;
    if (rep == 0) continue;
    if (o.prompt_tokens) prefill.push_back(p);
    if (o.gen_tokens) decode.push_back(d);
  }
  const loquor::Context& context = model.context();
  if (o.common.json) {
    print_json({{"model", o.common.model},
                {"version", loquor::version()},
                {"isa", context.isa()},
                {"threads", context.threads()},
                {"kv_type", o.kv_type},
                {"lookup", o.lookup},
                {"prompt_tokens", o.prompt_tokens},
                {"gen_tokens", o.gen_tokens},
                {"depth", o.depth},
                {"batch", o.batch},
                {"reps", o.reps},
                {"load_ms", model.load_ms()},
                {"prefill_tps", median(prefill)},
                {"decode_tps", median(decode)},
                {"prefill_tps_all", prefill},
                {"decode_tps_all", decode}});
    return kOk;
  }
  std::printf("loquor %s, %s, %u threads, KV %s, medians of %u\n", loquor::version().c_str(), context.isa().c_str(),
              context.threads(), o.kv_type.c_str(), o.reps);
  if (o.prompt_tokens)
    std::printf("prefill %5u at depth %u: %9.1f tokens/s\n", o.prompt_tokens, o.depth, median(prefill));
  if (o.gen_tokens)
    std::printf("decode  %5u at depth %u: %9.1f tokens/s (%u in a batch)\n", o.gen_tokens, o.depth, median(decode),
                o.batch);
  if (o.profile && o.prompt_tokens) bench.profile("prefill", &Bench::prefill);
  if (o.profile && o.gen_tokens) bench.profile("decode", &Bench::decode);
  return kOk;
}

}  // namespace

Command add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("bench", "Measure speed");
  o->common.add_to(*sub);
  sub->add_option("--prompt-tokens", o->prompt_tokens, "Tokens to read; 0 = do not measure")->capture_default_str();
  sub->add_option("--gen-tokens", o->gen_tokens, "Tokens to generate; 0 = do not measure")->capture_default_str();
  sub->add_option("--depth", o->depth, "Tokens in the session before")->capture_default_str();
  sub->add_option("--batch", o->batch, "Sessions that generate together")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  sub->add_option("--prefill-chunk", o->chunk, "Tokens read at once; 0 = the library's choice")->capture_default_str();
  sub->add_option("--reps", o->reps, "Repetitions")->check(CLI::Range(1, 10000))->capture_default_str();
  sub->add_option("--kv-type", o->kv_type, "Type of the KV cache: f16, q8_0 or f32")->capture_default_str();
  sub->add_flag("--profile", o->profile, "Print where the time of one more run goes, by parts of the network")
      ->excludes("--batch", "--json");
  add_lookup(*sub, o->lookup);
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
