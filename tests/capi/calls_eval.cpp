#include <filesystem>
#include <fstream>

#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

void write_mmlu(const std::string& folder) {
  std::filesystem::create_directories(folder + "/dev");
  std::filesystem::create_directories(folder + "/test");
  std::ofstream(folder + "/tune.jsonl") << "{\"prompt\": \"a\", \"completion\": \"b\"}\n";
  std::ofstream(folder + "/dev/anatomy_dev.csv") << "One?,a,b,c,d,A\n";
  std::ofstream(folder + "/test/anatomy_test.csv") << "Two?,a,b,c,d,B\n\"Three, four?\",a,b,c,d,C\n";
}

std::vector<CallRow> eval_calls() {
  return {
      {"lq_mmlu_run", Takes::handle, Kind::model,
       [](Handles& f, void* h) {
         lq_report* r = nullptr;
         lq_mmlu_options o = LQ_MMLU_OPTIONS_INIT;
         const char* const subject = "anatomy";
         o.data = f.mmlu.c_str();
         o.subjects = &subject;
         o.subject_count = 1;
         o.shots = 0;
         return freed(lq_mmlu_run(&r, as<lq_model>(h), &o), r, lq_report_free);
       }},
      {"lq_finetune", Takes::handle, Kind::model,
       [](Handles& f, void* h) {
         lq_report* r = nullptr;
         lq_finetune_options o = LQ_FINETUNE_OPTIONS_INIT;
         const std::string data = f.mmlu + "/tune.jsonl", out = f.mmlu + "/adapter";
         lq_train_options t = LQ_TRAIN_OPTIONS_INIT;
         t.batch = t.steps = 1;
         o.data = data.c_str();
         o.out = out.c_str();
         o.max_tokens = 8;
         o.rank = 1;
         o.train = &t;
         return freed(lq_finetune(&r, as<lq_model>(h), &o), r, lq_report_free);
       }},
      {"lq_report_json", Takes::handle, Kind::report,
       [](Handles&, void* h) {
         const char* text = nullptr;
         return lq_report_json(&text, nullptr, as<lq_report>(h));
       }},
      {"lq_mmlu_subjects", Takes::no_handle, Kind::report,
       [](Handles&, void*) {
         char out[4000];
         return lq_mmlu_subjects(out, sizeof out, nullptr);
       }},
      {"lq_report_error", Takes::handle, Kind::report,
       [](Handles&, void* h) { return lq_report_error(nullptr, 0, nullptr, as<lq_report>(h)); }},
  };
}

}  // namespace lq_test
