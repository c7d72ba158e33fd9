// Stores of documents. Long calls let Ctrl-C end them.
#include "convert.hpp"
#include "interruptible.hpp"

namespace {

using loquor::Store;

loquor::SearchOptions search_options(const py::dict& d) {
  loquor::SearchOptions o;
  o.k = d["k"].cast<std::uint32_t>();
  o.mode = static_cast<lq_search_mode>(d["mode"].cast<int>());
  o.filter = d["filter"].cast<std::string>();
  o.min_trust = d["min_trust"].cast<double>();
  o.mmr = d["mmr"].cast<double>();
  o.per_document = d["per_document"].cast<std::uint32_t>();
  o.exact = d["exact"].cast<bool>();
  return o;
}

std::string add(Store& s, const std::vector<py::dict>& documents, py::object progress, loquor::Cancel* given) {
  std::vector<loquor::Document> list;
  for (const py::dict& d : documents) {
    const auto text = [&](const char* name) { return d[name].cast<std::string>(); };
    list.push_back({text("key"), text("text"), text("title"), text("source"), text("metadata"),
                    static_cast<lq_text_kind>(d["kind"].cast<int>()), d["trust"].cast<double>()});
  }
  std::function<bool(std::uint32_t, std::uint32_t)> fn;
  if (!progress.is_none())
    fn = [callback = Callable(std::move(progress))](std::uint32_t done, std::uint32_t all) {
      const py::gil_scoped_acquire gil;
      const py::object go_on = callback.get()(done, all);
      return go_on.is_none() || go_on.cast<bool>();
    };
  loquor::Cancel own;
  loquor::Cancel& cancel = given ? *given : own;
  std::string report;
  interruptible([&] { report = s.add(list, fn, &cancel); }, [&] { cancel.trigger(); });
  return report;
}

void make_index(Store& s, py::object progress, loquor::Cancel* given) {
  std::function<bool(std::uint32_t, std::uint32_t)> fn;
  if (!progress.is_none())
    fn = [callback = Callable(std::move(progress))](std::uint32_t done, std::uint32_t all) {
      const py::gil_scoped_acquire gil;
      const py::object go_on = callback.get()(done, all);
      return go_on.is_none() || go_on.cast<bool>();
    };
  loquor::Cancel own;
  loquor::Cancel& cancel = given ? *given : own;
  interruptible([&] { s.index(fn, &cancel); }, [&] { cancel.trigger(); });
}

std::string ask(Store& s, loquor::Session& session, const std::string& question, const py::dict& d, py::object stream,
                loquor::Cancel* given) {
  loquor::AskOptions o;
  o.search = search_options(d);
  o.max_tokens = d["max_tokens"].cast<std::uint32_t>();
  o.budget = d["budget"].cast<std::uint32_t>();
  o.guards = d["guards"].cast<bool>();
  o.threshold = d["threshold"].cast<double>();
  o.instructions = d["instructions"].cast<std::string>();
  if (!stream.is_none())
    o.stream = [callback = Callable(std::move(stream))](std::string_view text) {
      const py::gil_scoped_acquire gil;
      const py::object go_on = callback.get()(to_str(text));
      return go_on.is_none() || go_on.cast<bool>();
    };
  loquor::Cancel own;
  loquor::Cancel& cancel = given ? *given : own;
  o.cancel = &cancel;
  std::string report;
  interruptible([&] { report = s.ask(session, question, o); }, [&] { cancel.trigger(); });
  return report;
}

std::unique_ptr<Store> open_store(const std::string& path, const loquor::Model* encoder, const py::dict& d) {
  loquor::StoreOptions o;
  o.read_only = d["read_only"].cast<bool>();
  o.chunk_tokens = d["chunk_tokens"].cast<std::uint32_t>();
  o.overlap = d["overlap"].cast<std::uint32_t>();
  o.whole_documents = d["whole_documents"].cast<bool>();
  const py::gil_scoped_release release;
  return std::make_unique<Store>(path, encoder, o);
}

}  // namespace

void bind_rag(py::module_& m) {
  const auto release = py::call_guard<py::gil_scoped_release>();
  py::class_<Store>(m, "Store")
      .def(py::init(&open_store))
      .def("add", &add)
      .def("index", &make_index)
      .def("remove", &Store::remove, release)
      .def("text", &Store::text, release)
      .def("info", &Store::info, release)
      .def("search",
           [](Store& s, const std::string& query, const py::dict& d) {
             const loquor::SearchOptions o = search_options(d);
             const py::gil_scoped_release free;
             return s.search(query, o);
           })
      .def("ask", &ask);
}
