// Prompts composed of a role, instructions, examples and a question; and the ways of asking that the field has names
// for: zero-shot, few-shot (Brown et al. 2020), role, chain of thought (Wei et al. 2022), self-consistency (Wang et al.
// 2023). Thread contract: one user at a time.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/generate/embedder.hpp"
#include "loquor/generate/session.hpp"

namespace lq {

struct PromptExample {
  std::string input, output;
  std::string reasoning;  // before the output, where the prompt asks for reasoning; may be empty
};

enum class ExampleChoice : int {
  first = 0,    // the first ones
  random = 1,   // drawn by the seed, the same for every question
  nearest = 2,  // nearest to the question by an encoder's vectors (Liu et al. 2022), the nearest last
};

// What an answer is held to; at most one of these.
struct AnswerForm {
  std::vector<std::string> choices;
  std::string regex, json_schema, gbnf;
};

struct PromptOptions {
  std::string role;          // who the model is; the beginning of the system message
  std::string instructions;  // what it is to do
  std::vector<PromptExample> examples;
  std::size_t shots = 0;  // how many of them are shown; 0 = all
  ExampleChoice choice = ExampleChoice::first;
  // Reasoning first, free and of at most so many tokens, then the answer; 0 = the answer at once.
  std::size_t reasoning_tokens = 0;
  std::size_t votes = 1;     // chains that are drawn, one prompt computed for all; the answer most of them give
  double temperature = 0.7;  // of the draws, if there are several; one is greedy
  std::uint64_t seed = 0;
  AnswerForm form;
  std::size_t max_tokens = 64;  // of the answer
  // Of the prompt and all that follows; 0 = what the session holds. Examples without room are left out: the first ones
  // first.
  std::size_t budget = 0;
  bool raw = false;  // "Q: ...\nA: ..." instead of the model's chat template
};

struct PromptAnswer {
  std::string text;       // the answer: without white space around it, as the form has it
  std::string reasoning;  // of the first chain that gave it
  struct Vote {
    std::string text;
    std::size_t count = 0;
  };
  std::vector<Vote> votes;           // the most frequent first; equal ones in the order they came in
  double share = 1;                  // of the chains, that gave the answer
  std::vector<std::size_t> shown;    // examples, in their order in the prompt
  std::vector<std::size_t> dropped;  // examples that were chosen and had no room
  std::size_t prompt_tokens = 0, generated_tokens = 0;
};

class Prompt {
 public:
  // `embedder` is needed for nearest examples, and must outlive the prompt. Throws Error{invalid_argument} for options
  // that contradict each other, and as Grammar's makers.
  explicit Prompt(PromptOptions options, Embedder* embedder = nullptr);
  ~Prompt();

  struct Built {
    std::vector<std::int32_t> tokens;
    std::string text;  // as the chat template writes it
    std::vector<std::size_t> shown, dropped;
  };
  // The prompt of a question, for a budget of tokens. Throws Error{context_full} if it does not fit without any
  // example, Error{template_error}.
  Built build(const Model& model, const std::string& question, std::size_t budget);

  // Asks; the session's contents are replaced. Throws as build(), and as Session::start and step.
  PromptAnswer ask(Session& session, const std::string& question,
                   const std::shared_ptr<const std::atomic<bool>>& cancel = nullptr);

  const PromptOptions& options() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Options from JSON: the members above by their names ("examples": [{"input", "output", "reasoning"}], "choice":
// "first", "random" or "nearest", "choices", "regex", "json_schema" (an object or text), "gbnf"). Throws
// Error{invalid_argument} naming the member.
PromptOptions prompt_options(std::string_view json);
std::string to_json(const PromptAnswer& answer);

}  // namespace lq
