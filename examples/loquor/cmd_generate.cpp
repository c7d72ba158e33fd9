// loquor generate: one answer, streamed.
#include <unistd.h>
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  Generation generation;
  std::string prompt, file, system;
  bool raw = false, ignore_end = false;
  unsigned logprobs = 0;
};

std::string read_prompt(const Options& o) {
  if (!o.file.empty()) return read_file(o.file);
  if (!o.prompt.empty()) return o.prompt;
  if (isatty(STDIN_FILENO))
    throw UsageError("generate: give --prompt TEXT or --file FILE, or a prompt on standard input");
  return read_file("-");
}

Json logprobs_json(const loquor::Event& e) {
  Json top = Json::array();
  for (const lq_logprob& t : e.top()) top.push_back({t.token, t.logprob});
  return {{"token", e.token()}, {"logprob", e.logprob()}, {"top", std::move(top)}};
}

// Steps through the generation that was started; returns false if it was interrupted.
bool stream(loquor::Session& session, bool print, Json* logprobs) {
  try {
    for (;;) {
      const loquor::Event e = session.step();
      if (print) {
        std::fwrite(e.text().data(), 1, e.text().size(), stdout);
        std::fflush(stdout);
      }
      if (e.kind() == LQ_EVENT_TOKEN && logprobs) logprobs->push_back(logprobs_json(e));
      if (e.done()) return e.finish() != LQ_FINISH_CANCELLED;
    }
  } catch (const loquor::Error& e) {
    if (e.status() != LQ_ERR_CANCELLED) throw;
    return false;
  }
}

Json document(const loquor::Session& session, std::uint64_t seed) {
  const lq_result r = session.result();
  return {{"text", session.output()},
          {"tokens", session.output_tokens()},
          {"prompt_tokens", r.prompt_tokens},
          {"finish_reason", lq_finish_name(static_cast<lq_finish>(r.finish))},
          {"seed", seed},
          {"timings", timings_json(r)}};
}

int run(const Options& o) {
  const std::string prompt = read_prompt(o);
  const loquor::Model model = o.common.load();
  loquor::Session session = o.generation.session(model);
  const std::uint64_t seed = o.common.seed_or_random();
  const loquor::Sampler sampler = o.generation.sampler(seed);
  loquor::GenerateOptions g;
  g.max_tokens = o.generation.max_tokens;
  g.sampler = &sampler;
  g.stop = o.generation.stop;
  g.logprobs = o.logprobs;
  g.ignore_end = o.ignore_end;
  g.parse_special = o.raw;
  g.lookup = lookup_option(o.generation.lookup);
  const std::optional<loquor::Grammar> grammar = o.generation.grammar();
  g.grammar = grammar ? &*grammar : nullptr;
  g.cancel = &interrupt();
  if (o.raw) {
    session.start(prompt, g);
  } else {
    std::vector<loquor::Message> messages;
    if (!o.system.empty()) messages.push_back({"system", o.system});
    messages.push_back({"user", prompt});
    session.start_chat(messages, g);
  }
  Json logprobs = Json::array();
  const bool finished = stream(session, !o.common.json, o.logprobs ? &logprobs : nullptr);
  if (o.common.json) {
    Json doc = document(session, seed);
    if (o.logprobs) doc["logprobs"] = std::move(logprobs);
    print_json(doc);
  } else {
    std::printf("\n");
    std::fflush(stdout);
    std::fprintf(stderr, "[%s]\n", timings_line(session.result()).c_str());
  }
  return finished ? kOk : kInterrupted;
}

}  // namespace

Command add_generate(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("generate", "Answer a prompt");
  o->common.add_to(*sub);
  o->generation.add_to(*sub);
  auto* prompt = sub->add_option("-p,--prompt", o->prompt, "The prompt");
  sub->add_option("-f,--file", o->file, "Read the prompt from a file; - is standard input")->excludes(prompt);
  auto* system = sub->add_option("--system", o->system, "A system message before the prompt");
  sub->add_flag("--raw", o->raw, "Continue the prompt as it is, without the chat template")->excludes(system);
  sub->add_flag("--ignore-end", o->ignore_end, "Go on when the model ends its turn");
  sub->add_option("--logprobs", o->logprobs, "Report this many most probable tokens for each (with --json)")
      ->check(CLI::Range(0, 100));
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
