// What the binding's files share: arrays, events and options. Every blocking call releases the GIL.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <loquor.hpp>
#include <memory>

namespace py = pybind11;

void bind_embed(py::module_& m);
void bind_errors(py::module_& m);
void bind_model(py::module_& m);
void bind_sampler(py::module_& m);
void bind_grammar(py::module_& m);
void bind_session(py::module_& m);
void bind_train(py::module_& m);
void bind_tune(py::module_& m);
void bind_rag(py::module_& m);
void bind_prompt(py::module_& m);

// A Python callable that native code may copy and destroy without holding the GIL.
class Callable {
 public:
  explicit Callable(py::object fn)
      : fn_(new py::object(std::move(fn)), [](py::object* p) {
          py::gil_scoped_acquire gil;
          delete p;
        }) {}
  const py::object& get() const { return *fn_; }  // with the GIL

 private:
  std::shared_ptr<py::object> fn_;
};

inline void check_signals() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Text that may not be UTF-8 (a byte token, metadata of a hostile file): replaced, never an exception.
inline py::str to_str(std::string_view text) {
  PyObject* s = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (!s) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(s);
}
