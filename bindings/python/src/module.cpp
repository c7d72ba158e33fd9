// loquor._native: the C interface as Python objects. The public API is the package around it.
#include "convert.hpp"

PYBIND11_MODULE(_native, m) {
  if (lq_abi_version() != LQ_ABI_VERSION) throw py::import_error("loquor: the extension was built for another library");
  m.attr("version") = loquor::version();
  m.def("isa_list", &loquor::isa_list);
  bind_errors(m);
  bind_model(m);
  bind_sampler(m);
  bind_embed(m);
  bind_grammar(m);
  bind_session(m);
  bind_train(m);
  bind_tune(m);
  bind_rag(m);
  bind_prompt(m);
}
