// What sharing prompts and restricting the head save. Medians of ROUNDS rounds, the ways in turn:
//   questions   20 sessions, a prompt of 600 tokens they have in common and 100 of their own, four answers to compare
//   answers     the last token of a prompt again, its scores for four tokens: all rows of the head, or the four
//   text        log probabilities of 512 tokens: a row of scores for each, or none
//
//   bench_scoring MODEL [ROUNDS [THREADS]]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <loquor.hpp>

namespace {

using loquor::Tokens;

constexpr std::size_t kQuestions = 20, kShared = 600, kOwn = 100;
const Tokens kAnswers = {330, 389, 340, 422};

Tokens some_tokens(std::size_t n, std::uint64_t seed) {
  Tokens out;
  for (std::size_t i = 0; i < n; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    out.push_back(static_cast<std::int32_t>(500 + (seed >> 33) % 40000));
  }
  return out;
}

double ms_of(const std::function<void()>& fn) {
  const auto start = std::chrono::steady_clock::now();
  fn();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

struct Way {
  const char* name;
  std::function<void()> run;
  std::vector<double> ms;
  double median() {
    std::sort(ms.begin(), ms.end());
    return ms[ms.size() / 2];
  }
};

// Runs the ways in turn, once to warm up; prints medians per item, and the ratio to the first.
void compare(const char* title, std::vector<Way> ways, int rounds, double items) {
  for (int r = -1; r < rounds; ++r)
    for (Way& w : ways) {
      const double ms = ms_of(w.run);
      if (r >= 0) w.ms.push_back(ms / items);
    }
  std::printf("%s\n", title);
  const double base = ways[0].median();
  for (Way& w : ways) std::printf("  %-44s %9.3f ms  %5.2fx\n", w.name, w.median(), base / w.median());
}

volatile float sink;  // so that no result is dropped

void questions(const loquor::Model& model, int rounds) {
  std::vector<Tokens> prompts;
  for (std::size_t i = 0; i < kQuestions; ++i) {
    prompts.push_back(some_tokens(kShared, 1));
    const Tokens own = some_tokens(kOwn, 100 + i);
    prompts.back().insert(prompts.back().end(), own.begin(), own.end());
  }
  loquor::SessionOptions o;
  o.n_ctx = 1024;
  const auto ask = [&](bool shared, bool some) {
    const loquor::PrefixCache cache(model, shared ? std::uint64_t{1} << 30 : 0);
    for (const Tokens& prompt : prompts) {
      loquor::Session s(model, o);
      s.use_prefix_cache(&cache);
      if (some) {
        sink = s.logits_of(prompt, kAnswers)[0];
        continue;
      }
      s.set_prompt(prompt);
      sink = s.logits()[kAnswers[0]];
    }
  };
  compare("a question: 600 shared tokens, 100 of its own, in a session of its own",
          {{"nothing shared, whole head", [&] { ask(false, false); }, {}},
           {"prefix cache, whole head", [&] { ask(true, false); }, {}},
           {"prefix cache, four rows of the head", [&] { ask(true, true); }, {}}},
          rounds, kQuestions);
}

void answers(const loquor::Model& model, int rounds) {
  loquor::SessionOptions o;
  o.n_ctx = 1024;
  loquor::Session s(model, o);
  const Tokens prompt = some_tokens(64, 3), before(prompt.begin(), prompt.end() - 1);
  s.set_prompt(prompt);
  constexpr int kTimes = 50;
  const auto repeat = [&](const auto& fn) {
    for (int i = 0; i < kTimes; ++i) {
      s.rewind(before.size());
      fn();
    }
  };
  compare("one more token, then the scores of four answers",
          {{"whole head",
            [&] {
              repeat([&] {
                s.feed({prompt.back()});
                sink = s.logits()[330];
              });
            },
            {}},
           {"four rows of the head", [&] { repeat([&] { sink = s.logits_of(prompt, kAnswers)[0]; }); }, {}}},
          rounds, kTimes);
}

void text(const loquor::Model& model, int rounds) {
  loquor::SessionOptions o;
  o.n_ctx = 1024;
  loquor::Session s(model, o);
  const Tokens tokens = some_tokens(512, 4);
  const auto by_rows = [&] {
    double sum = 0;
    s.eval(tokens, [&](std::size_t position, const float* logits, std::size_t n) {
      if (position + 1 == tokens.size()) return true;
      double most = -HUGE_VAL, total = 0;
      for (std::size_t i = 0; i < n; ++i) most = std::max(most, static_cast<double>(logits[i]));
      for (std::size_t i = 0; i < n; ++i) total += std::exp(static_cast<double>(logits[i]) - most);
      sum += static_cast<double>(logits[tokens[position + 1]]) - most - std::log(total);
      return true;
    });
    sink = static_cast<float>(sum);
  };
  compare("a token of a text of 512: its log probability",
          {{"a row of scores each (lq_session_eval)",
            [&] {
              s.rewind(0);
              by_rows();
            },
            {}},
           {"no rows (lq_session_score)",
            [&] {
              s.rewind(0);
              sink = static_cast<float>(s.score(tokens).first);
            },
            {}},
           {"no scores at all (lq_session_set_prompt)",
            [&] {
              s.rewind(0);
              s.set_prompt(tokens);
            },
            {}}},
          rounds, 512);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::printf("usage: bench_scoring MODEL [ROUNDS [THREADS]]\n"), 2;
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 5;
  try {
    loquor::ContextOptions c;
    if (argc > 3) c.threads = static_cast<std::uint32_t>(std::atoi(argv[3]));
    const loquor::Context context(c);
    const loquor::Model model(argv[1], {}, context);
    std::printf("%s, %u threads, medians of %d rounds (questions: half as many)\n", context.isa().c_str(),
                context.threads(), rounds);
    questions(model, (rounds + 1) / 2);  // half a minute a round
    answers(model, rounds);
    text(model, rounds);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_scoring: %s\n", e.what());
    return 1;
  }
  return 0;
}
