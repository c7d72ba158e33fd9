// MMLU (Hendrycks et al. 2021, "Measuring Massive Multitask Language Understanding"): questions with four answers, of
// which the model chooses the one whose letter it finds most probable. One user at a time.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loquor/generate/model.hpp"

namespace lq {

struct MmluOptions {
  std::string data;                   // a folder with dev/SUBJECT_dev.csv and test/SUBJECT_test.csv
  std::size_t shots = 5;              // examples before each question, from dev: 0 to 5
  std::vector<std::string> subjects;  // none: all 57
  std::size_t limit = 0;              // most questions of a subject; 0 = all
  // "hendrycks": the prompt of the authors' program, with its two spaces before the subject; "harness": that of
  // lm-evaluation-harness's task "mmlu", whose choice by log-likelihood is the same as by these logits.
  std::string format = "hendrycks";
  std::string results;    // a file that every answer is added to, and that answers are taken from; "" = none
  std::size_t n_ctx = 0;  // 0 = as trained; a prompt that does not fit loses its first examples
  std::shared_ptr<const std::atomic<bool>> cancel;
  std::function<bool(std::size_t done, std::size_t all)> progress;  // false stops with Error{cancelled}
};

struct MmluAnswer {
  std::string subject;
  std::size_t index = 0;                // of the question in its file
  int right = 0, chosen = 0;            // 0 to 3
  std::array<double, 4> probability{};  // of the four letters, adding up to 1
  std::size_t shots = 0;                // that fitted
};

struct MmluScore {
  std::size_t questions = 0, correct = 0;
  double accuracy = 0;
  double std_error = 0;  // of a mean of independent answers
};

struct MmluReport {
  std::vector<std::pair<std::string, MmluScore>> subjects;  // in the order asked for
  std::vector<std::pair<std::string, MmluScore>>
      categories;                // stem, humanities, social_sciences, other: over questions
  MmluScore micro;               // over all questions
  double macro = 0;              // mean of the subjects
  double calibration_error = 0;  // expected, in 10 bins of the chosen answer's probability (Guo et al. 2017)
  std::size_t resumed = 0;       // answers taken from the results file
  std::size_t cut = 0;           // questions whose prompt lost examples
  std::size_t prompt_tokens = 0, computed_tokens = 0;
  double seconds = 0;
  std::vector<MmluAnswer> answers;
};

// Throws Error{not_found} for an unknown subject or a missing file, Error{bad_file}, naming file and line, for a row
// that is no question, Error{mismatch} for a results file of another run, Error{context_full} for a question that does
// not fit even alone, Error{unsupported} for a vocabulary whose letters are not one token each, Error{cancelled}.
MmluReport run_mmlu(const std::shared_ptr<const Model>& model, const MmluOptions& options);

// "abstract_algebra,anatomy,...".
std::string mmlu_subjects();

// The report as JSON, with the answers if wanted.
std::string to_json(const MmluReport& report, bool answers);

}  // namespace lq
