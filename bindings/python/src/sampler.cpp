// Sampler chains, with stages written in Python.
#include <cmath>

#include "convert.hpp"

namespace {

using loquor::Sampler;

// fn(tokens, logits, history): int32, float32 (writable) and int32 arrays. What it sets to -inf is dropped.
struct PythonStage {
  Callable fn;
  bool operator()(lq_candidate* c, std::size_t& n, const std::int32_t* history, std::size_t m) const {
    py::gil_scoped_acquire gil;
    py::array_t<std::int32_t> tokens(static_cast<py::ssize_t>(n)), past(static_cast<py::ssize_t>(m), history);
    py::array_t<float> logits(static_cast<py::ssize_t>(n));
    for (std::size_t i = 0; i < n; ++i) {
      tokens.mutable_data()[i] = c[i].token;
      logits.mutable_data()[i] = c[i].logit;
    }
    fn.get()(tokens, logits, past);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i)
      if (const float x = logits.data()[i]; !std::isinf(x) || x > 0) c[kept++] = {tokens.data()[i], x};
    if (kept == 0) throw loquor::Error(LQ_ERR_INVALID_ARGUMENT, "the sampling stage left no token");
    n = kept;
    return true;
  }
};

}  // namespace

void bind_sampler(py::module_& m) {
  py::class_<Sampler>(m, "Sampler")
      .def(py::init<>())
      .def("add",
           [](Sampler& s, const std::string& name, const std::vector<double>& values) { s.add(name.c_str(), values); })
      .def("add_callback", [](Sampler& s, py::object fn) { s.add(PythonStage{Callable(std::move(fn))}); })
      .def("bias", [](Sampler& s, std::int32_t token, float value) { s.bias(token, value); })
      .def("seed", [](Sampler& s, std::uint64_t seed) { s.seed(seed); })
      .def("sample", [](Sampler& s, py::array_t<float, py::array::c_style | py::array::forcecast> logits,
                        const loquor::Tokens& history, std::uint64_t position) {
        return s.sample(logits.data(), static_cast<std::size_t>(logits.size()), history, position);
      });
  m.def("sampler_names", [] { return loquor::detail::read_text([](auto... a) { return lq_sampler_names(a...); }); });
}
