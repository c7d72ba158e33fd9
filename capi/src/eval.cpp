#include "loquor/eval/mmlu.hpp"
#include "lq_eval.h"
#include "report.hpp"
#include "session.hpp"

namespace lq::capi {
namespace {

MmluOptions mmlu_options(const Call& call, const lq_mmlu_options& o) {
  LQ_CHECK(o.reserved == 0, Code::invalid_argument, call.function(), ": reserved is not 0");
  MmluOptions m;
  m.data = name_arg(call, o.data, "options.data");
  m.shots = o.shots;
  constexpr std::size_t kMost = 1000;
  for (const char* subject : array_arg(call, o.subjects, o.subject_count, "options.subjects", kMost))
    m.subjects.push_back(name_arg(call, subject, "options.subjects[i]"));
  if (o.format) m.format = name_arg(call, o.format, "options.format");
  if (o.results) m.results = name_arg(call, o.results, "options.results");
  m.limit = o.limit;
  m.n_ctx = o.n_ctx;
  if (o.cancel) m.cancel = Use<CancelObject>(call, o.cancel, "options.cancel")->flag;
  if (o.progress)
    m.progress = [fn = o.progress, user = o.progress_user](std::size_t done, std::size_t all) {
      return fn(static_cast<std::uint32_t>(done), static_cast<std::uint32_t>(all), user) == 0;
    };
  return m;
}

}  // namespace
}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_mmlu_run(lq_report** out, lq_model* model, const lq_mmlu_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const std::shared_ptr<const Model> m = call.on<ModelObject>(model, "model").model;
    const auto o = options_arg<lq_mmlu_options>(call, options, LQ_MMLU_OPTIONS_INIT);
    *out = new_handle<ReportObject, lq_report>(to_json(run_mmlu(m, mmlu_options(call, o)), o.answers != 0));
  });
}

lq_status lq_report_json(const char** text, size_t* length, const lq_report* report) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, text, "text") = "";
    if (length) *length = 0;
    const ReportObject& r = call.on<ReportObject>(report, "report");
    *text = r.json.c_str();
    if (length) *length = r.json.size();
  });
}

void lq_report_free(lq_report* report) noexcept { free_handle(report, Kind::report); }

lq_status lq_mmlu_subjects(char* out, size_t capacity, size_t* length) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    write_text(call, out, capacity, length, mmlu_subjects());
  });
}

lq_status lq_report_error(char* out, size_t capacity, size_t* length, const lq_report* report) noexcept {
  return object_error(__func__, out, capacity, length, report, Kind::report);
}

}  // extern "C"
