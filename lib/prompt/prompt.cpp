#include "loquor/prompt/prompt.hpp"

#include <algorithm>
#include <cmath>

#include "loquor/core/status.hpp"
#include "prompt_impl.hpp"

namespace lq {
namespace {

void check(const PromptOptions& o, const Embedder* embedder) {
  const AnswerForm& f = o.form;
  const int forms = !f.choices.empty() + !f.regex.empty() + !f.json_schema.empty() + !f.gbnf.empty();
  LQ_CHECK(forms <= 1, Code::invalid_argument,
           "prompt: choices, regex, json_schema and gbnf: only one of them can hold");
  LQ_CHECK(o.votes >= 1 && o.votes <= 256, Code::invalid_argument, "prompt: votes is ", o.votes, ", expected 1 to 256");
  LQ_CHECK(std::isfinite(o.temperature) && o.temperature >= 0, Code::invalid_argument, "prompt: temperature is ",
           o.temperature);
  LQ_CHECK(o.max_tokens > 0, Code::invalid_argument, "prompt: max_tokens is 0");
  LQ_CHECK(o.choice != ExampleChoice::nearest || embedder, Code::invalid_argument,
           "prompt: nearest examples need an embedder");
}

// `spaced`: the answer follows a colon, after which models write a space.
std::shared_ptr<const Grammar> grammar_of(const AnswerForm& f, bool spaced) {
  std::vector<std::string> choices = f.choices;
  if (spaced)
    for (std::string& c : choices) c.insert(0, 1, ' ');
  if (!choices.empty()) return Grammar::from_choices(choices);
  if (!f.regex.empty()) return Grammar::from_regex(spaced ? " (?:" + f.regex + ")" : f.regex);
  if (!f.json_schema.empty()) return Grammar::from_json_schema(f.json_schema);
  if (!f.gbnf.empty()) return Grammar::from_gbnf(f.gbnf);
  return nullptr;
}

std::string trimmed(std::string_view s) {
  const std::size_t begin = s.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(s.substr(begin, s.find_last_not_of(" \t\r\n") - begin + 1));
}

// Chains of one prompt, brought forwards together.
class Chains {
 public:
  Chains(Session& first, const PromptOptions& o, std::shared_ptr<const std::atomic<bool>> cancel)
      : options_(o), cancel_(std::move(cancel)) {
    sessions_.push_back(&first);
  }

  void read(std::span<const std::int32_t> prompt) {
    sessions_[0]->set_prompt(prompt);
    for (std::size_t i = 1; i < options_.votes; ++i) forks_.push_back(std::make_unique<Session>(sessions_[0]->fork()));
    for (auto& f : forks_) sessions_.push_back(f.get());
  }

  // Each chain's text, generated from where it stands; `before` is put into it first.
  std::vector<std::string> generate(const std::string& before, std::size_t most, std::vector<std::string> stop,
                                    const std::shared_ptr<const Grammar>& grammar, std::uint64_t round) {
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
      Session& s = *sessions_[i];
      const Tokenizer& t = *s.model().tokenizer();
      // A chain that ended by itself goes on as if it had not.
      std::size_t n = s.tokens().size();
      while (n > 0 && t.is_end_of_generation(s.tokens()[n - 1]) && round > 0) --n;
      if (n < s.tokens().size()) s.rewind(n);
      GenerateOptions g;
      g.max_tokens = most;
      g.stop = stop;
      g.grammar = grammar;
      g.cancel = cancel_;
      if (options_.votes > 1 && options_.temperature > 0) {
        g.sampler.add("temperature", std::vector<double>{options_.temperature});
        g.sampler.set_seed(options_.seed + 0x9e3779b97f4a7c15u * (i + 1) + round);
      }
      const std::vector<std::int32_t> more = t.encode(before);
      g.append = true;
      if (more.empty())
        s.start(std::nullopt, std::move(g));
      else
        s.start(std::span<const std::int32_t>(more), std::move(g));
    }
    run();
    LQ_CHECK(!cancel_ || !cancel_->load(), Code::cancelled, "prompt: cancelled");  // a batch only ends for it
    std::vector<std::string> out;
    for (Session* s : sessions_) {
      out.push_back(s->output());
      generated_ += s->result().generated_tokens;
    }
    return out;
  }

  std::size_t generated() const noexcept { return generated_; }

 private:
  void run() {
    if (sessions_.size() == 1) {
      while (sessions_[0]->step().kind != EventKind::done) {
      }
      return;
    }
    Batch batch(std::shared_ptr<const Model>(std::shared_ptr<void>(), &sessions_[0]->model()), sessions_.size());
    std::vector<Session*> active = sessions_;
    std::vector<Event> events(active.size());
    while (!active.empty()) {
      batch.step(active, std::span(events).first(active.size()));
      std::vector<Session*> left;
      for (std::size_t i = 0; i < active.size(); ++i)
        if (events[i].kind != EventKind::done) left.push_back(active[i]);
      active = std::move(left);
    }
  }

  const PromptOptions& options_;
  std::shared_ptr<const std::atomic<bool>> cancel_;
  std::vector<std::unique_ptr<Session>> forks_;
  std::vector<Session*> sessions_;
  std::size_t generated_ = 0;
};

void count(PromptAnswer& answer, const std::vector<std::string>& texts, const std::vector<std::string>& reasoning) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string text = trimmed(texts[i]);
    auto at = std::find_if(answer.votes.begin(), answer.votes.end(), [&](const auto& v) { return v.text == text; });
    if (at == answer.votes.end()) at = answer.votes.insert(answer.votes.end(), {text, 0});
    ++at->count;
  }
  std::stable_sort(answer.votes.begin(), answer.votes.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  answer.text = answer.votes[0].text;
  answer.share = static_cast<double>(answer.votes[0].count) / static_cast<double>(texts.size());
  for (std::size_t i = 0; i < texts.size() && !reasoning.empty(); ++i)
    if (trimmed(texts[i]) == answer.text) {
      answer.reasoning = trimmed(reasoning[i]);
      break;
    }
}

}  // namespace

Prompt::Prompt(PromptOptions options, Embedder* embedder) : impl_(std::make_unique<Impl>()) {
  check(options, embedder);
  impl_->grammar = grammar_of(options.form, options.raw || options.reasoning_tokens > 0);
  impl_->options = std::move(options);
  impl_->embedder = embedder;
}

Prompt::~Prompt() = default;

const PromptOptions& Prompt::options() const noexcept { return impl_->options; }

PromptAnswer Prompt::ask(Session& session, const std::string& question,
                         const std::shared_ptr<const std::atomic<bool>>& cancel) {
  const PromptOptions& o = impl_->options;
  const std::size_t tail = session.model().tokenizer()->encode(kTherefore).size();
  const std::size_t all = o.budget ? std::min(o.budget, session.capacity()) : session.capacity();
  const std::size_t after = o.max_tokens + (o.reasoning_tokens ? o.reasoning_tokens + tail : 0);
  LQ_CHECK(after < all, Code::invalid_argument, "prompt: reasoning and answer of ", after, " tokens in a budget of ",
           all);
  const Built built = build(session.model(), question, all - after);
  Chains chains(session, o, cancel);
  chains.read(built.tokens);
  std::vector<std::string> reasoning;
  if (o.reasoning_tokens) {
    reasoning = chains.generate("", o.reasoning_tokens, {"Therefore, the answer is"}, nullptr, 0);
  }
  std::vector<std::string> stop;
  if (!impl_->grammar && o.raw) stop.push_back("\n");
  PromptAnswer answer;
  const std::string before = o.reasoning_tokens ? kTherefore : "";
  count(answer, chains.generate(before, o.max_tokens, stop, impl_->grammar, 1), reasoning);
  answer.shown = built.shown;
  answer.dropped = built.dropped;
  answer.prompt_tokens = built.tokens.size();
  answer.generated_tokens = chains.generated();
  return answer;
}

}  // namespace lq
