// Evaluation through the C interface and the C++ layer, over the tiny model.
#include <catch2/catch.hpp>
#include <string>

#include "arguments.hpp"
#include "calls.hpp"
#include "loquor.hpp"

using namespace lq_test;

namespace {

// Runs MMLU over the two questions after `change` to the options.
template <class Change>
lq_status run_with(Handles& h, const Change& change) {
  lq_report* r = nullptr;
  lq_mmlu_options o = LQ_MMLU_OPTIONS_INIT;
  const char* const subject = "anatomy";
  o.data = h.mmlu.c_str();
  o.subjects = &subject;
  o.subject_count = 1;
  o.shots = 1;
  change(o);
  return freed(lq_mmlu_run(&r, h.model, &o), r, lq_report_free);
}

const BadRow kWrong[] = {
    {"out NULL", kInvalid,
     [](Handles& h) {
       lq_mmlu_options o = LQ_MMLU_OPTIONS_INIT;
       o.data = h.mmlu.c_str();
       return lq_mmlu_run(nullptr, h.model, &o);
     }},
    {"options NULL", kInvalid,
     [](Handles& h) {
       lq_report* r = nullptr;
       return freed(lq_mmlu_run(&r, h.model, nullptr), r, lq_report_free);
     }},
    {"data NULL", kInvalid, [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.data = nullptr; }); }},
    {"no folder", LQ_ERR_NOT_FOUND,
     [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.data = "/nonexistent"; }); }},
    {"subjects NULL", kInvalid,
     [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.subjects = nullptr; }); }},
    {"a subject unknown", LQ_ERR_NOT_FOUND,
     [](Handles& h) {
       static const char* const unknown = "alchemy";
       return run_with(h, [](lq_mmlu_options& o) { o.subjects = &unknown; });
     }},
    {"more shots than examples", LQ_ERR_BAD_FILE,
     [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.shots = 2; }); }},
    {"six shots", kInvalid, [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.shots = 6; }); }},
    {"another format", kInvalid, [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.format = "x"; }); }},
    {"reserved", kInvalid, [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.reserved = 1; }); }},
    {"results in no folder", LQ_ERR_IO,
     [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.results = "/nonexistent/r"; }); }},
    {"a context too small", LQ_ERR_CONTEXT_FULL,
     [](Handles& h) { return run_with(h, [](lq_mmlu_options& o) { o.n_ctx = 20; }); }},
    {"json out NULL", kInvalid, [](Handles& h) { return lq_report_json(nullptr, nullptr, h.report); }},
    {"subjects too long for the buffer", LQ_ERR_BUFFER_TOO_SMALL,
     [](Handles&) {
       char out[4];
       return lq_mmlu_subjects(out, sizeof out, nullptr);
     }},
};

}  // namespace

TEST_CASE("wrong arguments to evaluation are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("a run of questions ends when it is told to", "[capi]") {
  Handles h;
  CHECK(run_with(h, [](lq_mmlu_options& o) {
          o.progress = [](uint32_t done, uint32_t all, void*) { return static_cast<int>(done == 1 && all == 2); };
        }) == LQ_ERR_CANCELLED);
  REQUIRE(lq_cancel_trigger(h.cancel) == LQ_OK);
  CHECK(run_with(h, [&](lq_mmlu_options& o) { o.cancel = h.cancel; }) == LQ_ERR_CANCELLED);
  CHECK(run_with(h, [](lq_mmlu_options&) {}) == LQ_OK);
}

TEST_CASE("the C++ layer runs MMLU", "[capi]") {
  Handles h;
  const loquor::Model model(h.path);
  loquor::MmluOptions o;
  o.data = h.mmlu;
  o.subjects = {"anatomy"};
  o.shots = 1;
  o.answers = true;
  std::uint32_t seen = 0;
  o.progress = [&](std::uint32_t done, std::uint32_t) { return (seen = done) != 0; };
  const std::string report = loquor::mmlu(model, o);
  CHECK(seen == 2);
  CHECK(report.find("\"micro\":{\"questions\":2") != std::string::npos);
  CHECK(report.find("\"answers\":[{\"subject\":\"anatomy\",\"index\":0") != std::string::npos);
  CHECK(loquor::mmlu_subjects().find("anatomy,astronomy") != std::string::npos);
  o.progress = [](std::uint32_t, std::uint32_t) -> bool { throw std::string("mine"); };
  CHECK_THROWS_AS(loquor::mmlu(model, o), std::string);
}
