// lq_status -> the exception classes of loquor.errors.
#include "convert.hpp"

void bind_errors(py::module_& m) {
  // Name of a status -> class; filled by loquor.errors. Kept by the module, looked up when something is raised.
  m.attr("error_classes") = py::dict();
  static PyObject* classes = nullptr;
  classes = py::object(m.attr("error_classes")).inc_ref().ptr();
  py::register_local_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const loquor::Error& e) {
      const char* name = lq_status_name(e.status());
      std::string_view text = e.what();
      const std::string prefix = std::string(name) + ": ";
      if (text.substr(0, prefix.size()) == prefix) text.remove_prefix(prefix.size());
      const py::object message = to_str(text);
      PyObject* cls = PyDict_GetItemString(classes, name);
      PyErr_SetObject(cls ? cls : PyExc_RuntimeError, message.ptr());
    }
  });
}
