#include "mmlu_data.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "loquor/core/status.hpp"
#include "loquor/eval/csv.hpp"
#include "loquor/eval/mmlu.hpp"

namespace lq {

std::string mmlu_subjects() {
  std::string out;
  for (const mmlu::Subject& s : mmlu::all_subjects()) out += str(out.empty() ? "" : ",", s.name);
  return out;
}

namespace mmlu {

const std::vector<Subject>& all_subjects() {
  static const std::vector<Subject> all = {
#define LQ_SUBJECT(name, category) {#name, #category},
#include "loquor/eval/mmlu_subjects.def"
#undef LQ_SUBJECT
  };
  return all;
}

const Subject& find_subject(const std::string& name) {
  for (const Subject& s : all_subjects())
    if (s.name == name) return s;
  fail(Code::not_found, "mmlu: there is no subject '", name, "'; known are ", mmlu_subjects());
}

std::vector<Question> read_questions(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    fail(std::filesystem::exists(path) ? Code::io : Code::not_found, "mmlu: '", path, "': ", std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  LQ_CHECK(!in.bad(), Code::io, "mmlu: '", path, "' cannot be read");
  std::vector<Question> out;
  for (CsvRow& row : read_csv(text, path)) {
    LQ_CHECK(row.fields.size() == 6, Code::bad_file, "'", path, "', line ", row.line, ": ", row.fields.size(),
             " columns, expected 6: question, A, B, C, D, answer");
    const std::string& letter = row.fields[5];
    LQ_CHECK(letter.size() == 1 && letter[0] >= 'A' && letter[0] <= 'D', Code::bad_file, "'", path, "', line ",
             row.line, ": the answer is '", letter, "', expected A, B, C or D");
    Question q{std::move(row.fields[0]), {}, letter[0] - 'A'};
    for (std::size_t i = 0; i < 4; ++i) q.choices[i] = std::move(row.fields[i + 1]);
    out.push_back(std::move(q));
  }
  return out;
}

namespace {

std::string_view stripped(std::string_view s) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  const std::size_t first = s.find_first_not_of(kSpace);
  return first == std::string_view::npos ? std::string_view{} : s.substr(first, s.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

std::string prompt_head(std::string_view subject, bool harness) {
  std::string name(subject);
  for (char& c : name)
    if (c == '_') c = ' ';
  return str("The following are multiple choice questions (with answers) about ", harness ? "" : " ", name, ".\n\n");
}

std::string asked(const Question& q, bool harness) {
  std::string out(harness ? stripped(q.text) : std::string_view(q.text));
  for (std::size_t i = 0; i < 4; ++i)
    out += str("\n", static_cast<char>('A' + static_cast<char>(i)), ". ", q.choices[i]);
  return out + "\nAnswer:";
}

std::string example(const Question& q, bool harness) {
  return str(asked(q, harness), " ", static_cast<char>('A' + q.answer), "\n\n");
}

}  // namespace mmlu
}  // namespace lq
