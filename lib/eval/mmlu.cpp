#include "loquor/eval/mmlu.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "loquor/core/status.hpp"
#include "loquor/generate/session.hpp"
#include "mmlu_data.hpp"
#include "mmlu_results.hpp"

namespace lq {
namespace {

using Json = nlohmann::ordered_json;
using mmlu::Question;
using Tokens = std::vector<std::int32_t>;

struct Task {
  std::string name;
  std::vector<Question> examples, questions;
};

std::vector<Task> read_tasks(const MmluOptions& o) {
  LQ_CHECK(o.shots <= 5, Code::invalid_argument, "mmlu: ", o.shots, " shots; the data have 5");
  LQ_CHECK(o.format == "hendrycks" || o.format == "harness", Code::invalid_argument, "mmlu: format '", o.format,
           "', expected 'hendrycks' or 'harness'");
  std::vector<std::string> names = o.subjects;
  if (names.empty())
    for (const mmlu::Subject& s : mmlu::all_subjects()) names.emplace_back(s.name);
  std::vector<Task> out;
  for (const std::string& name : names) {
    mmlu::find_subject(name);
    for (const Task& t : out) LQ_CHECK(t.name != name, Code::invalid_argument, "mmlu: subject '", name, "' twice");
    Task task{name, {}, mmlu::read_questions(o.data + "/test/" + name + "_test.csv")};
    if (o.shots) task.examples = mmlu::read_questions(o.data + "/dev/" + name + "_dev.csv");
    LQ_CHECK(task.examples.size() >= o.shots, Code::bad_file, "mmlu: '", name, "' has ", task.examples.size(),
             " examples, ", o.shots, " are wanted");
    if (o.limit && task.questions.size() > o.limit) task.questions.resize(o.limit);
    out.push_back(std::move(task));
  }
  return out;
}

// The tokens that " A" to " D" differ in, after "Answer:", and those before them that they share, such as a space of
// its own.
struct Letters {
  Tokens before, letters;
};

Letters letters_of(const Tokenizer& tokenizer) {
  const std::string question = "Answer:";
  const std::size_t n = tokenizer.encode(question).size();
  Letters out;
  for (const char* letter : {" A", " B", " C", " D"}) {
    const Tokens all = tokenizer.encode(question + letter);
    const bool good =
        all.size() > n &&
        (out.letters.empty() || (all.size() == n + out.before.size() + 1 &&
                                 std::equal(out.before.begin(), out.before.end(), all.begin() + static_cast<long>(n))));
    LQ_CHECK(good, Code::unsupported, "mmlu: the vocabulary has no single token for the answer '", letter, "'");
    out.before.assign(all.begin() + static_cast<long>(n), all.end() - 1);
    out.letters.push_back(all.back());
  }
  return out;
}

class Run {
 public:
  Run(const std::shared_ptr<const Model>& model, const MmluOptions& o)
      : options_(o),
        harness_(o.format == "harness"),
        tokenizer_(*model->tokenizer()),
        tasks_(read_tasks(o)),
        letters_(letters_of(tokenizer_)),
        session_(model, session_options(*model, o)) {
    if (!o.results.empty())
      results_.emplace(o.results, Json{{"mmlu", 1},
                                       {"model", model->file().name()},
                                       {"shots", o.shots},
                                       {"format", o.format},
                                       {"n_ctx", session_.capacity()}}
                                      .dump());
  }

  MmluReport run() {
    const auto begin = std::chrono::steady_clock::now();
    std::size_t all = 0;
    for (const Task& t : tasks_) all += t.questions.size();
    for (const Task& t : tasks_) {
      const std::vector<std::string> shots = examples(t);
      for (std::size_t i = 0; i < t.questions.size(); ++i) {
        const MmluAnswer* known = results_ ? results_->find(t.name, i) : nullptr;
        if (known) ++report_.resumed;
        report_.answers.push_back(known ? *known : ask(t, shots, i));
        if (results_ && !known) results_->add(report_.answers.back());
        LQ_CHECK(!options_.cancel || !options_.cancel->load(), Code::cancelled, "mmlu: cancelled");
        LQ_CHECK(!options_.progress || options_.progress(report_.answers.size(), all), Code::cancelled,
                 "mmlu: stopped by the progress callback");
      }
    }
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return std::move(report_);
  }

 private:
  static SessionOptions session_options(const Model& model, const MmluOptions& o) {
    LQ_CHECK(model.decoder(), Code::invalid_argument, "mmlu: the model has no weights to generate with");
    SessionOptions s;
    s.n_ctx = o.n_ctx;
    return s;
  }

  std::vector<std::string> examples(const Task& t) const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < options_.shots; ++i) out.push_back(mmlu::example(t.examples[i], harness_));
    return out;
  }

  // The session keeps what the prompt has in common with the one before: the examples are computed once a subject.
  MmluAnswer ask(const Task& t, const std::vector<std::string>& shots, std::size_t index) {
    const Question& q = t.questions[index];
    for (std::size_t dropped = 0;; ++dropped) {
      std::string text = mmlu::prompt_head(t.name, harness_);
      for (std::size_t i = dropped; i < shots.size(); ++i) text += shots[i];
      Tokens prompt = tokenizer_.encode(text + mmlu::asked(q, harness_), {.add_special = true});
      prompt.insert(prompt.end(), letters_.before.begin(), letters_.before.end());
      if (prompt.size() <= session_.capacity()) return answer(t, q, index, prompt, shots.size() - dropped);
      LQ_CHECK(dropped < shots.size(), Code::context_full, "mmlu: question ", index, " of '", t.name, "' has ",
               prompt.size(), " tokens, the context ", session_.capacity());
      if (dropped == 0) ++report_.cut;
    }
  }

  MmluAnswer answer(const Task& t, const Question& q, std::size_t index, const Tokens& prompt, std::size_t shots) {
    std::array<float, 4> logits{};
    const std::size_t reused = session_.logits_of(prompt, letters_.letters, logits);
    report_.prompt_tokens += prompt.size();
    report_.computed_tokens += prompt.size() - reused;
    MmluAnswer a{t.name, index, q.answer, 0, {}, shots};
    a.chosen = static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    const float most = logits[static_cast<std::size_t>(a.chosen)];
    double sum = 0;
    for (float l : logits) sum += std::exp(static_cast<double>(l - most));
    for (std::size_t i = 0; i < 4; ++i) a.probability[i] = std::exp(static_cast<double>(logits[i] - most)) / sum;
    return a;
  }

  const MmluOptions& options_;
  bool harness_;
  const Tokenizer& tokenizer_;
  std::vector<Task> tasks_;
  Letters letters_;
  Session session_;
  std::optional<mmlu::Results> results_;
  MmluReport report_;
};

void count(MmluScore& score, const MmluAnswer& a) {
  ++score.questions;
  score.correct += a.chosen == a.right;
}

void finish(MmluScore& s) {
  if (s.questions == 0) return;
  const double n = static_cast<double>(s.questions);
  s.accuracy = static_cast<double>(s.correct) / n;
  s.std_error = s.questions > 1 ? std::sqrt(s.accuracy * (1 - s.accuracy) / (n - 1)) : 0;
}

double calibration(const std::vector<MmluAnswer>& answers) {
  constexpr std::size_t kBins = 10;
  std::array<double, kBins> confidence{}, correct{};
  for (const MmluAnswer& a : answers) {
    const double p = a.probability[static_cast<std::size_t>(a.chosen)];
    const std::size_t bin = std::min(kBins - 1, static_cast<std::size_t>(p * kBins));
    confidence[bin] += p;
    correct[bin] += a.chosen == a.right;
  }
  double sum = 0;
  for (std::size_t i = 0; i < kBins; ++i) sum += std::abs(confidence[i] - correct[i]);
  return answers.empty() ? 0 : sum / static_cast<double>(answers.size());
}

Json score_json(const MmluScore& s) {
  return {{"questions", s.questions}, {"correct", s.correct}, {"accuracy", s.accuracy}, {"std_error", s.std_error}};
}

}  // namespace

MmluReport run_mmlu(const std::shared_ptr<const Model>& model, const MmluOptions& options) {
  LQ_CHECK(model, Code::invalid_argument, "mmlu: the model is null");
  MmluReport r = Run(model, options).run();
  r.categories = {{"stem", {}}, {"humanities", {}}, {"social_sciences", {}}, {"other", {}}};
  for (const MmluAnswer& a : r.answers) {
    if (r.subjects.empty() || r.subjects.back().first != a.subject) r.subjects.push_back({a.subject, {}});
    count(r.subjects.back().second, a);
    count(r.micro, a);
    for (auto& [name, score] : r.categories)
      if (name == mmlu::find_subject(a.subject).category) count(score, a);
  }
  finish(r.micro);
  for (auto& [name, score] : r.categories) finish(score);
  for (auto& [name, score] : r.subjects) {
    finish(score);
    r.macro += score.accuracy / static_cast<double>(r.subjects.size());
  }
  r.calibration_error = calibration(r.answers);
  return r;
}

std::string to_json(const MmluReport& r, bool answers) {
  Json out = {{"micro", score_json(r.micro)}, {"macro", r.macro}, {"calibration_error", r.calibration_error}};
  for (const auto& [name, score] : r.categories)
    if (score.questions) out["categories"][name] = score_json(score);
  for (const auto& [name, score] : r.subjects) out["subjects"][name] = score_json(score);
  out["resumed"] = r.resumed;
  out["cut"] = r.cut;
  out["prompt_tokens"] = r.prompt_tokens;
  out["computed_tokens"] = r.computed_tokens;
  out["seconds"] = r.seconds;
  if (answers) {
    out["answers"] = Json::array();
    for (const MmluAnswer& a : r.answers)
      out["answers"].push_back({{"subject", a.subject},
                                {"index", a.index},
                                {"right", a.right},
                                {"chosen", a.chosen},
                                {"shots", a.shots},
                                {"probability", a.probability}});
  }
  return out.dump();
}

}  // namespace lq
