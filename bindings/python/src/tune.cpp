// Fine-tuning.
#include "convert.hpp"
#include "interruptible.hpp"
#include "train.hpp"

namespace {

std::string finetune(const loquor::Model& m, const py::dict& d, py::object progress, loquor::Cancel* given) {
  loquor::FinetuneOptions o;
  const auto text = [&](const char* name) { return d[name].cast<std::string>(); };
  o.data = text("data");
  o.eval_data = text("eval_data");
  o.out = text("out");
  o.base = text("base");
  o.eval_fraction = d["eval_fraction"].cast<double>();
  o.rank = d["rank"].cast<std::uint32_t>();
  o.alpha = d["alpha"].cast<float>();
  o.dropout = d["dropout"].cast<float>();
  o.targets = d["targets"].cast<std::vector<std::string>>();
  o.max_tokens = d["max_tokens"].cast<std::uint32_t>();
  o.completions_only = d["completions_only"].cast<bool>();
  o.pack = d["pack"].cast<bool>();
  o.train = train_options(d["train"]);
  if (!progress.is_none()) o.progress = train_progress(std::move(progress));
  loquor::Cancel own;
  loquor::Cancel& cancel = given ? *given : own;
  o.cancel = &cancel;
  std::string report;
  interruptible([&] { report = loquor::finetune(m, o); }, [&] { cancel.trigger(); });
  return report;
}

}  // namespace

void bind_tune(py::module_& m) { m.def("finetune", &finetune); }
