// MMLU's files and prompts.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace lq::mmlu {

struct Subject {
  std::string_view name, category;
};
const std::vector<Subject>& all_subjects();
const Subject& find_subject(const std::string& name);  // Error{not_found}

struct Question {
  std::string text;
  std::array<std::string, 4> choices;
  int answer;  // 0 to 3
};
// Throws Error{not_found|io|bad_file}.
std::vector<Question> read_questions(const std::string& path);

// The head and the examples, and the question up to "Answer:".
std::string prompt_head(std::string_view subject, bool harness);
std::string example(const Question& q, bool harness);  // with its answer and an empty line
std::string asked(const Question& q, bool harness);

}  // namespace lq::mmlu
