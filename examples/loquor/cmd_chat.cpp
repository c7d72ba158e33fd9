// loquor chat: a conversation. Ctrl-C stops an answer; Ctrl-D, or Ctrl-C at the prompt, leaves.
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  Generation generation;
  std::string system;
};

class Chat {
 public:
  Chat(const Options& o, const loquor::Model& model)
      : options_(o),
        session_(o.generation.session(model)),
        sampler_(o.generation.sampler(o.common.seed_or_random())),
        grammar_(o.generation.grammar()) {
    reset();
  }

  void reset() {
    messages_.clear();
    if (!options_.system.empty()) messages_.push_back({"system", options_.system});
  }

  // Answers one message of the user, streaming to stdout unless a JSON document is wanted.
  void answer(const std::string& text) {
    messages_.push_back({"user", text});
    bool forgot = false;
    while (!try_answer()) {
      forget_oldest();
      forgot = true;
    }
    if (forgot) std::fprintf(stderr, "[the context is full: the oldest messages were forgotten]\n");
  }

  Json document() const {
    Json list = Json::array();
    for (const loquor::Message& m : messages_) list.push_back({{"role", m.role}, {"content", m.content}});
    return {{"messages", list}, {"turns", turns_}};
  }

 private:
  // False if the conversation does not fit any more.
  bool try_answer() {
    loquor::GenerateOptions g;
    g.max_tokens = options_.generation.max_tokens;
    g.sampler = &sampler_;
    g.stop = options_.generation.stop;
    g.lookup = lookup_option(options_.generation.lookup);
    g.grammar = grammar_ ? &*grammar_ : nullptr;
    g.cancel = &interrupt();
    const bool print = !options_.common.json;
    try {
      session_.chat(messages_, g, [&](const loquor::Event& e) {
        if (print) {
          std::fwrite(e.text().data(), 1, e.text().size(), stdout);
          std::fflush(stdout);
        }
        return true;
      });
    } catch (const loquor::Error& e) {
      if (e.status() == LQ_ERR_CONTEXT_FULL && turn_messages() > 1) return false;
      if (e.status() != LQ_ERR_CANCELLED) {
        messages_.pop_back();
        throw;
      }
      reset_interrupt();
    }
    finish_turn();
    return true;
  }

  void finish_turn() {
    const lq_result r = session_.result();
    messages_.push_back({"assistant", session_.output()});
    if (options_.common.json) {
      turns_.push_back({{"prompt_tokens", r.prompt_tokens},
                        {"reused_tokens", r.reused_tokens},
                        {"generated_tokens", r.generated_tokens},
                        {"finish_reason", lq_finish_name(static_cast<lq_finish>(r.finish))},
                        {"timings", timings_json(r)}});
    } else {
      std::printf("\n");
      std::fflush(stdout);
      if (isatty(STDERR_FILENO)) std::fprintf(stderr, "[%s]\n", timings_line(r).c_str());
    }
  }

  std::size_t first_turn() const { return options_.system.empty() ? 0 : 1; }
  std::size_t turn_messages() const { return messages_.size() - first_turn(); }
  void forget_oldest() {
    const auto first = messages_.begin() + static_cast<std::ptrdiff_t>(first_turn());
    messages_.erase(first, first + static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, turn_messages() - 1)));
  }

  const Options& options_;
  loquor::Session session_;
  loquor::Sampler sampler_;
  std::optional<loquor::Grammar> grammar_;
  std::vector<loquor::Message> messages_;
  Json turns_ = Json::array();
};

int run(const Options& o) {
  const loquor::Model model = o.common.load();
  Chat chat(o, model);
  const bool interactive = isatty(STDIN_FILENO) == 1 && !o.common.json;
  if (interactive) std::fprintf(stderr, "Ctrl-C stops an answer, Ctrl-D leaves, /reset begins anew.\n");
  for (;;) {
    if (interactive) std::fprintf(stderr, "\n> ");
    std::string line;
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    if (line == "/exit" || line == "/quit") break;
    if (line == "/reset") {
      chat.reset();
      continue;
    }
    chat.answer(line);
  }
  if (interactive) std::fprintf(stderr, "\n");
  if (o.common.json) print_json(chat.document());
  return interrupt().is_set() ? kInterrupted : kOk;
}

}  // namespace

Command add_chat(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("chat", "Talk with a model; with --json, one message a line from standard input");
  o->generation.max_tokens = 0;
  o->common.add_to(*sub);
  o->generation.add_to(*sub);
  sub->add_option("--system", o->system, "A system message at the start");
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
