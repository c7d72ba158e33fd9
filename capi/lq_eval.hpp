// Part of loquor.hpp: evaluation.
#ifndef LOQUOR_LQ_EVAL_HPP
#define LOQUOR_LQ_EVAL_HPP

#include "lq_eval.h"
#include "lq_generate.hpp"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_report* raw) noexcept {
  lq_report_free(raw);
}
}  // namespace detail

struct MmluOptions {
  std::string data = {};
  std::uint32_t shots = 5;
  std::vector<std::string> subjects = {};  // none: all 57
  std::string format = {};                 // "hendrycks" or "harness"
  std::string results = {};
  std::uint32_t limit = 0, n_ctx = 0;
  bool answers = false;
  std::function<bool(std::uint32_t done, std::uint32_t all)> progress = nullptr;  // false stops
  const Cancel* cancel = nullptr;
};

// MMLU; the report as JSON (lq_report_json).
inline std::string mmlu(const Model& model, const MmluOptions& options) {
  lq_mmlu_options o = LQ_MMLU_OPTIONS_INIT;
  std::vector<const char*> subjects;
  for (const std::string& s : options.subjects) subjects.push_back(s.c_str());
  o.data = options.data.c_str();
  o.shots = options.shots;
  o.subjects = subjects.data();
  o.subject_count = subjects.size();
  o.format = options.format.empty() ? nullptr : options.format.c_str();
  o.results = options.results.empty() ? nullptr : options.results.c_str();
  o.limit = options.limit;
  o.n_ctx = options.n_ctx;
  o.answers = options.answers;
  o.cancel = options.cancel ? options.cancel->get() : nullptr;
  if (options.progress) {
    using Fn = std::function<bool(std::uint32_t, std::uint32_t)>;
    o.progress = [](std::uint32_t done, std::uint32_t all, void* user) {
      return detail::shield([&] { return (*static_cast<const Fn*>(user))(done, all); });
    };
    o.progress_user = const_cast<Fn*>(&options.progress);
  }
  detail::Owner<lq_report> report;
  detail::check(lq_mmlu_run(report.out(), model.get(), &o));
  const char* text = nullptr;
  std::size_t length = 0;
  detail::check(lq_report_json(&text, &length, report.get()));
  return std::string(text, length);
}

inline std::string mmlu_subjects() {
  return detail::read_text([](auto... a) { return lq_mmlu_subjects(a...); });
}

}  // namespace loquor
#endif
