// Text encoders.
#include "convert.hpp"
#include "interruptible.hpp"

namespace {

using loquor::Embedder;

py::array_t<float> embed(Embedder& e, const std::vector<py::bytes>& texts) {
  std::vector<std::string_view> views(texts.begin(), texts.end());
  const std::size_t n = e.dimension();
  py::array_t<float> out({static_cast<py::ssize_t>(texts.size()), static_cast<py::ssize_t>(n)});
  float* data = out.mutable_data();
  loquor::Cancel cancel;
  interruptible([&] { e.embed(views, data, views.size() * n, &cancel); }, [&] { cancel.trigger(); });
  return out;
}

}  // namespace

void bind_embed(py::module_& m) {
  py::class_<Embedder>(m, "Embedder")
      .def(py::init([](const loquor::Model& model, std::uint32_t max_tokens, std::uint32_t batch_tokens, bool normalize,
                       const std::string& pooling) {
        return Embedder(model, {max_tokens, batch_tokens, normalize, pooling});
      }))
      .def_property_readonly("dimension", &Embedder::dimension)
      .def_property_readonly("max_tokens", &Embedder::max_tokens)
      .def("embed", &embed);
}
