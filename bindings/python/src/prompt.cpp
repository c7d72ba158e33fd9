// Prompts.
#include "convert.hpp"
#include "interruptible.hpp"

namespace {

std::string ask(loquor::Prompt& p, loquor::Session& session, const std::string& question, loquor::Cancel* given) {
  loquor::Cancel own;
  loquor::Cancel& cancel = given ? *given : own;
  std::string report;
  interruptible([&] { report = p.ask(session, question, &cancel); }, [&] { cancel.trigger(); });
  return report;
}

}  // namespace

void bind_prompt(py::module_& m) {
  using loquor::Prompt;
  py::class_<Prompt>(m, "Prompt")
      .def(py::init<const std::string&, const loquor::Model*>(), py::call_guard<py::gil_scoped_release>())
      .def("ask", &ask)
      .def("build", &Prompt::build, py::call_guard<py::gil_scoped_release>());
}
