#include <algorithm>
#include <cmath>
#include <numeric>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "prompt_impl.hpp"

namespace lq {
namespace {

std::string token_text(const Tokenizer& t, std::optional<std::int32_t> id) {
  return id ? std::string(t.token_bytes(*id)) : std::string();
}

std::string joined(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + "\n\n" + b;
}

}  // namespace

std::vector<std::size_t> Prompt::Impl::chosen(const std::string& question) {
  const std::size_t all = options.examples.size();
  const std::size_t n = options.shots ? std::min(options.shots, all) : all;
  std::vector<std::size_t> order(all);
  std::iota(order.begin(), order.end(), 0);
  if (options.choice == ExampleChoice::random) {
    Random random(options.seed, 0x73686f7473);
    for (std::size_t i = 0; i + 1 < all; ++i)
      std::swap(order[i], order[i + static_cast<std::size_t>(random.uniform() * static_cast<double>(all - i))]);
  } else if (options.choice == ExampleChoice::nearest && all > 0) {
    const std::vector<float> near = nearness(question);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return near[a] > near[b]; });
  }
  order.resize(n);
  if (options.choice == ExampleChoice::nearest) std::reverse(order.begin(), order.end());
  return order;
}

std::vector<float> Prompt::Impl::nearness(const std::string& question) {
  const std::size_t d = embedder->dimension(), n = options.examples.size();
  if (vectors.empty()) {
    std::vector<std::string_view> inputs;
    for (const PromptExample& e : options.examples) inputs.push_back(e.input);
    vectors.resize(n * d);
    embedder->embed(inputs, vectors.data());
  }
  std::vector<float> q(d), out(n, 0.0f);
  const std::string_view view = question;
  embedder->embed({&view, 1}, q.data());
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < d; ++k) out[i] += q[k] * vectors[i * d + k];
  return out;
}

std::string Prompt::Impl::shown_output(const PromptExample& e) const {
  const bool reason = options.reasoning_tokens > 0 && !e.reasoning.empty();
  return reason ? e.reasoning + kTherefore + " " + e.output : e.output;
}

std::string Prompt::Impl::raw_text(const std::string& question, std::span<const std::size_t> examples) const {
  std::string out = joined(options.role, options.instructions);
  if (!out.empty()) out += "\n\n";
  for (const std::size_t i : examples)
    out += "Q: " + options.examples[i].input + "\nA: " + shown_output(options.examples[i]) + "\n\n";
  return out + "Q: " + question + "\nA:";
}

RenderedChat Prompt::Impl::chat_text(const Model& model, const std::string& question,
                                     std::span<const std::size_t> examples) {
  LQ_CHECK(!model.chat_template().empty(), Code::not_found,
           "prompt: the model has no chat template; ask for a raw prompt");
  if (!chat_template || chat_template->source() != model.chat_template())
    chat_template = ChatTemplate::compile(model.chat_template());
  const Tokenizer& t = *model.tokenizer();
  const std::string system = joined(options.role, options.instructions), bos = token_text(t, t.bos()),
                    eos = token_text(t, t.eos());
  std::vector<std::string> outputs;
  for (const std::size_t i : examples) outputs.push_back(shown_output(options.examples[i]));
  std::vector<ChatMessage> messages;
  if (!system.empty()) messages.push_back({"system", system});
  for (std::size_t i = 0; i < examples.size(); ++i) {
    messages.push_back({"user", options.examples[examples[i]].input});
    messages.push_back({"assistant", outputs[i]});
  }
  messages.push_back({"user", question});
  ChatInput in;
  in.messages = messages;
  in.bos_token = bos;
  in.eos_token = eos;
  return chat_template->render(in);
}

Prompt::Built Prompt::build(const Model& model, const std::string& question, std::size_t budget) {
  Impl& s = *impl_;
  Built out;
  std::vector<std::size_t> examples = s.chosen(question);
  for (;;) {
    if (s.options.raw) {
      out.text = s.raw_text(question, examples);
      out.tokens = model.tokenizer()->encode(out.text, {.add_special = true});
    } else {
      const RenderedChat chat = s.chat_text(model, question, examples);
      out.text = chat.text;
      out.tokens = model.tokenizer()->encode(chat.text, {.parse_special = true, .untrusted = chat.untrusted});
    }
    if (out.tokens.size() <= budget) break;
    LQ_CHECK(!examples.empty(), Code::context_full, "prompt: the question alone has ", out.tokens.size(),
             " tokens, there is room for ", budget);
    out.dropped.push_back(examples.front());
    examples.erase(examples.begin());
  }
  out.shown = std::move(examples);
  return out;
}

}  // namespace lq
