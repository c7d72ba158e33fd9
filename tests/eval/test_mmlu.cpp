#include "loquor/eval/mmlu.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eval/mmlu_data.hpp"
#include "generate/tiny_session.hpp"
#include "loquor/eval/csv.hpp"
#include "temp_folder.hpp"
#include "test_data.hpp"

using namespace lq_test;

namespace {

void write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string read(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

// Two subjects, three questions each, five examples.
void write_data(const std::string& folder) {
  for (const std::string name : {"anatomy", "sociology"}) {
    std::string dev, test;
    for (int i = 0; i < 5; ++i) dev += name + " example " + std::to_string(i) + "?,w,x,y,z," + "ABCDA"[i] + "\n";
    for (int i = 0; i < 3; ++i)
      test += "\"" + name + ", question " + std::to_string(i) + "?\",w,\"x \"\"y\"\"\",y,z," + "BCD"[i] + "\r\n";
    write(folder + "/dev/" + name + "_dev.csv", dev);
    write(folder + "/test/" + name + "_test.csv", test);
  }
}

lq::MmluOptions options(const TempFolder& folder, std::size_t shots = 5) {
  lq::MmluOptions o;
  o.data = folder / ".";
  o.subjects = {"anatomy", "sociology"};
  o.shots = shots;
  return o;
}

// Of a context that five examples fit into.
TinyModel long_context() {
  TinyModel spec;
  spec.n_ctx = 1024;
  return spec;
}

bool same(const lq::MmluAnswer& a, const lq::MmluAnswer& b) {
  return a.subject == b.subject && a.index == b.index && a.chosen == b.chosen && a.right == b.right &&
         a.probability == b.probability && a.shots == b.shots;
}

bool same(const lq::MmluReport& a, const lq::MmluReport& b) {
  return std::equal(a.answers.begin(), a.answers.end(), b.answers.begin(), b.answers.end(),
                    [](const auto& x, const auto& y) { return same(x, y); });
}

}  // namespace

TEST_CASE("CSV is read as RFC 4180 says, with its lines", "[eval]") {
  const auto rows = lq::read_csv("a,b\r\n\"x, \"\"y\"\"\nz\",,\n\n last,\"q\"tail,3", "f");
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].fields == std::vector<std::string>{"a", "b"});
  CHECK(rows[1].fields == std::vector<std::string>{"x, \"y\"\nz", "", ""});
  CHECK(rows[1].line == 2);
  CHECK(rows[2].fields == std::vector<std::string>{" last", "qtail", "3"});
  CHECK(rows[2].line == 5);
  CHECK_THROWS_WITH(lq::read_csv("a\n\"b", "f.csv"), Catch::Contains("f.csv") && Catch::Contains("line 2"));
}

TEST_CASE("the prompts are those of the authors and of the harness", "[eval]") {
  const lq::mmlu::Question q{" 1+1? ", {"1", "2", "3", "4"}, 1};
  CHECK(lq::mmlu::prompt_head("abstract_algebra", false) ==
        "The following are multiple choice questions (with answers) about  abstract algebra.\n\n");
  CHECK(lq::mmlu::prompt_head("abstract_algebra", true) ==
        "The following are multiple choice questions (with answers) about abstract algebra.\n\n");
  CHECK(lq::mmlu::example(q, false) == " 1+1? \nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: B\n\n");
  CHECK(lq::mmlu::asked(q, true) == "1+1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:");
}

TEST_CASE("the choice is the letter with the largest logit, whatever came before", "[eval]") {
  const TempFolder folder;
  write_data(folder / ".");
  const LoadedTiny tiny(long_context());
  for (std::size_t shots : {0u, 5u}) {
    const auto report = lq::run_mmlu(tiny.model, options(folder, shots));
    REQUIRE(report.answers.size() == 6);
    const auto& tokenizer = *tiny.model->tokenizer();
    std::size_t correct = 0;
    for (const auto& a : report.answers) {
      const auto questions = lq::mmlu::read_questions(folder / ("test/" + a.subject + "_test.csv"));
      const auto examples = lq::mmlu::read_questions(folder / ("dev/" + a.subject + "_dev.csv"));
      std::string prompt = lq::mmlu::prompt_head(a.subject, false);
      for (std::size_t i = 0; i < shots; ++i) prompt += lq::mmlu::example(examples[i], false);
      prompt += lq::mmlu::asked(questions[a.index], false);
      lq::Session s(tiny.model);
      Tokens ids = tokenizer.encode(prompt, {.add_special = true});
      ids.push_back(byte_token(' '));  // of its own in this vocabulary
      s.set_prompt(ids);
      const auto logits = s.logits();
      double sum = 0;
      std::vector<double> p;
      for (const char letter : {'A', 'B', 'C', 'D'}) {
        p.push_back(std::exp(static_cast<double>(logits[static_cast<std::size_t>(byte_token(letter))])));
        sum += p.back();
      }
      for (std::size_t i = 0; i < 4; ++i) CHECK(a.probability[i] == Approx(p[i] / sum).epsilon(1e-5));
      CHECK(a.chosen == std::max_element(p.begin(), p.end()) - p.begin());
      CHECK(a.right == questions[a.index].answer);
      correct += a.chosen == a.right;
    }
    CHECK(report.micro.correct == correct);
    CHECK(report.micro.accuracy == Approx(static_cast<double>(correct) / 6));
    CHECK(report.subjects.size() == 2);
    CHECK(report.macro == Approx((report.subjects[0].second.accuracy + report.subjects[1].second.accuracy) / 2));
    const auto json = nlohmann::json::parse(lq::to_json(report, true));
    CHECK(json["answers"].size() == 6);
    CHECK(json["categories"]["stem"]["questions"] == 3);
    CHECK(json["categories"]["social_sciences"]["questions"] == 3);
    CHECK_FALSE(json["categories"].contains("other"));
  }
}

TEST_CASE("a run goes on where it was stopped, with the same answers", "[eval]") {
  const TempFolder folder;
  write_data(folder / ".");
  const LoadedTiny tiny(long_context());
  const auto whole = lq::run_mmlu(tiny.model, options(folder));
  auto o = options(folder);
  o.results = folder / "results.jsonl";
  o.progress = [](std::size_t done, std::size_t) { return done < 4; };
  CHECK_THROWS_AS(lq::run_mmlu(tiny.model, o), lq::Error);
  const std::string stopped = read(o.results);
  CHECK(std::count(stopped.begin(), stopped.end(), '\n') == 5);
  o.progress = nullptr;
  // Killed in the middle of a line.
  write(o.results, stopped.substr(0, stopped.size() - 7));
  const auto resumed = lq::run_mmlu(tiny.model, o);
  CHECK(resumed.resumed == 3);
  CHECK(same(resumed, whole));
  CHECK(lq::run_mmlu(tiny.model, o).resumed == 6);
  o.shots = 0;
  CHECK_THROWS_WITH(lq::run_mmlu(tiny.model, o), Catch::Contains("another run"));
  CHECK(read(o.results).size() > stopped.size());
}

TEST_CASE("prompts that do not fit lose their first examples", "[eval]") {
  const TempFolder folder;
  write_data(folder / ".");
  const LoadedTiny tiny(long_context());
  auto o = options(folder);
  o.n_ctx = 300;
  const auto report = lq::run_mmlu(tiny.model, o);
  CHECK(report.cut == 6);
  for (const auto& a : report.answers) CHECK(a.shots < 5);
  o.n_ctx = 20;
  CHECK_THROWS_WITH(lq::run_mmlu(tiny.model, o), Catch::Contains("context"));
}

TEST_CASE("bad data are told with file and line", "[eval]") {
  const TempFolder folder;
  write_data(folder / ".");
  const LoadedTiny tiny(long_context());
  const auto message = [&](auto change) {
    auto o = options(folder, 0);
    change(o);
    try {
      lq::run_mmlu(tiny.model, o);
    } catch (const lq::Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK_THAT(message([](auto& o) { o.subjects = {"alchemy"}; }), Catch::Contains("alchemy"));
  CHECK_THAT(message([](auto& o) { o.subjects = {"anatomy", "anatomy"}; }), Catch::Contains("twice"));
  CHECK_THAT(message([](auto& o) { o.data = "/nowhere"; }), Catch::Contains("/nowhere"));
  CHECK_THAT(message([](auto& o) { o.shots = 6; }), Catch::Contains("6 shots"));
  CHECK_THAT(message([](auto& o) { o.format = "other"; }), Catch::Contains("other"));
  write(folder / "test/anatomy_test.csv", "a,b,c,d,e,A\nonly,four,columns,A\n");
  CHECK_THAT(message([](auto&) {}),
             Catch::Contains("anatomy_test.csv") && Catch::Contains("line 2") && Catch::Contains("4 columns"));
  write(folder / "test/anatomy_test.csv", "a,b,c,d,e,F\n");
  CHECK_THAT(message([](auto&) {}), Catch::Contains("'F'"));
}

TEST_CASE("the published data are read whole", "[eval]") {
  LQ_NEED_FILE(lq_test::data("mmlu/test"));
  std::size_t test = 0, dev = 0;
  for (const auto& s : lq::mmlu::all_subjects()) {
    test += lq::mmlu::read_questions(lq_test::data("mmlu/test/" + std::string(s.name) + "_test.csv")).size();
    dev += lq::mmlu::read_questions(lq_test::data("mmlu/dev/" + std::string(s.name) + "_dev.csv")).size();
  }
  CHECK(lq::mmlu::all_subjects().size() == 57);
  CHECK(test == 14'042);
  CHECK(dev == 285);
}
