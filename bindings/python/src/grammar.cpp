// Grammars and tool calls.
#include "convert.hpp"

void bind_grammar(py::module_& m) {
  using loquor::Grammar;
  const auto release = py::call_guard<py::gil_scoped_release>();
  py::class_<Grammar>(m, "Grammar")
      .def_static(
          "gbnf", [](const std::string& text, const std::string& root) { return Grammar::gbnf(text, root.c_str()); },
          release)
      .def_static(
          "json_schema",
          [](const std::string& schema, bool compact, bool closed) {
            return Grammar::json_schema(schema, {compact, closed});
          },
          release)
      .def_static(
          "regex", [](const std::string& pattern) { return Grammar::regex(pattern); }, release)
      .def_static("choices", &Grammar::choices, release)
      .def_static(
          "tools",
          [](const std::string& tools, const std::string& choice, bool parallel) {
            return Grammar::tools(tools, choice.c_str(), parallel);
          },
          release)
      .def(
          "accepts", [](const Grammar& g, const std::string& text) { return g.accepts(text); }, release);
  m.def("tool_calls_json", [](const std::string& text) { return loquor::tool_calls_json(text); });
}
