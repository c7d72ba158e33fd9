// Models, tokens, chat templates, the catalogue.
#include <atomic>

#include "convert.hpp"
#include "interruptible.hpp"

namespace {

using loquor::Model;

struct Progress {
  Callable fn;
  bool operator()(float fraction) const {
    py::gil_scoped_acquire gil;
    check_signals();
    if (fn.get().is_none()) return true;
    const py::object r = fn.get()(fraction);
    return r.is_none() || r.cast<bool>();
  }
};

Model load(const std::string& source, std::uint32_t threads, std::vector<std::int32_t> affinity, const std::string& isa,
           const std::string& compute, bool vocab_only, std::uint64_t memory_cap, py::object progress,
           const loquor::Cancel* cancel) {
  loquor::ContextOptions c;
  c.threads = threads;
  c.affinity = std::move(affinity);
  c.isa = isa;
  loquor::ModelOptions o;
  if (compute != "quantized" && compute != "f32")
    throw loquor::Error(LQ_ERR_INVALID_ARGUMENT, "compute: '" + compute + "', expected 'quantized' or 'f32'");
  o.compute = compute == "f32" ? LQ_COMPUTE_F32 : LQ_COMPUTE_QUANTIZED;
  o.vocab_only = vocab_only;
  o.memory_cap = memory_cap;
  o.cancel = cancel;
  o.progress = Progress{Callable(std::move(progress))};
  py::gil_scoped_release release;
  const loquor::Context context(c);
  return Model(source, o, context);
}

py::array_t<std::int32_t> to_array(const loquor::Tokens& tokens) {
  py::array_t<std::int32_t> out(static_cast<py::ssize_t>(tokens.size()));
  std::copy(tokens.begin(), tokens.end(), out.mutable_data());
  return out;
}

// (n_layers, n_head, tokens, tokens)
py::array_t<float> attention(const Model& m, const loquor::Tokens& tokens, std::uint32_t first, std::uint32_t n) {
  loquor::AttentionScores s;
  {
    py::gil_scoped_release release;
    s = loquor::attention_scores(m, tokens, first, n);
  }
  py::array_t<float> out({s.n_layers, s.n_head, s.tokens, s.tokens});
  std::copy(s.values.begin(), s.values.end(), out.mutable_data());
  return out;
}

py::dict info(const Model& m, std::uint32_t n_ctx, const std::string& kv_type) {
  const lq_model_info i = m.info(n_ctx, kv_type.c_str());
  py::dict d;
  d["architecture"] = to_str(i.architecture);
  d["name"] = to_str(i.name);
  d["vocab_only"] = i.vocab_only != 0;
  d["n_vocab"] = i.n_vocab;
  d["n_layer"] = i.n_layer;
  d["d_model"] = i.d_model;
  d["n_head"] = i.n_head;
  d["n_kv_head"] = i.n_kv_head;
  d["head_dim"] = i.head_dim;
  d["d_ff"] = i.d_ff;
  d["n_ctx_train"] = i.n_ctx_train;
  d["n_ctx"] = i.n_ctx;
  d["has_chat_template"] = i.has_chat_template != 0;
  d["n_params"] = i.n_params;
  d["file_bytes"] = i.file_bytes;
  d["weight_bytes"] = i.weight_bytes;
  d["kv_bytes"] = i.kv_bytes;
  d["workspace_bytes"] = i.workspace_bytes;
  return d;
}

py::dict metadata(const Model& m) {
  py::dict d;
  for (std::size_t i = 0; i < m.metadata_count(); ++i) {
    const std::string key = m.metadata_key(i);
    d[to_str(key)] = to_str(m.metadata(key));
  }
  return d;
}

py::list catalogue() {
  py::list out;
  for (const lq_catalogue_entry& e : loquor::catalogue()) {
    py::dict d;
    d["name"] = e.name;
    d["title"] = e.title;
    d["file"] = e.file;
    d["bytes"] = e.bytes;
    d["sha256"] = e.sha256;
    d["licence"] = e.licence;
    d["source"] = e.source;
    out.append(d);
  }
  return out;
}

std::vector<loquor::Message> messages_of(const std::vector<std::array<std::string, 3>>& list) {
  std::vector<loquor::Message> out;
  for (const auto& m : list) out.push_back({m[0], m[1], m[2]});
  return out;
}

py::dict perplexity(const Model& m, const loquor::Tokens& tokens, std::uint32_t n_ctx, std::uint32_t stride,
                    py::object progress) {
  const Progress callback{Callable(std::move(progress))};
  loquor::Cancel cancel;
  lq_perplexity_options o = LQ_PERPLEXITY_OPTIONS_INIT;
  o.cancel = cancel.get();
  o.stride = stride;
  lq_perplexity_result r;
  interruptible([&] { r = loquor::perplexity(m, tokens, n_ctx, callback, o); }, [&] { cancel.trigger(); });
  py::dict d;
  d["perplexity"] = r.perplexity;
  d["std_error"] = r.std_error;
  d["mean_logprob"] = r.mean_logprob;
  d["scored"] = r.scored;
  d["windows"] = r.windows;
  return d;
}

std::string mmlu(const Model& m, const py::dict& d, py::object progress, const loquor::Cancel* cancel) {
  std::atomic<bool> stop{false};  // by Ctrl-C: the caller's own handle is not to be left set
  loquor::MmluOptions o;
  o.data = d["data"].cast<std::string>();
  o.shots = d["shots"].cast<std::uint32_t>();
  o.subjects = d["subjects"].cast<std::vector<std::string>>();
  o.format = d["format"].cast<std::string>();
  o.results = d["results"].cast<std::string>();
  o.limit = d["limit"].cast<std::uint32_t>();
  o.n_ctx = d["n_ctx"].cast<std::uint32_t>();
  o.answers = d["answers"].cast<bool>();
  o.cancel = cancel;
  o.progress = [&stop, callback = Callable(std::move(progress))](std::uint32_t done, std::uint32_t all) {
    if (stop) return false;
    py::gil_scoped_acquire gil;
    if (callback.get().is_none()) return true;
    const py::object go_on = callback.get()(done, all);
    return go_on.is_none() || go_on.cast<bool>();
  };
  std::string report;
  interruptible([&] { report = loquor::mmlu(m, o); }, [&] { stop = true; });
  return report;
}

// `adapters` None: quantises; else merges.
py::dict quantize(const std::string& source, const std::string& target, const std::string& type,
                  const std::string& head, std::uint32_t threads, py::object progress, const loquor::Cancel* cancel,
                  const std::optional<std::vector<std::pair<std::string, float>>>& adapters) {
  std::atomic<bool> stop{false};  // by Ctrl-C: the caller's own handle is not to be left set
  loquor::ContextOptions c;
  c.threads = threads;
  loquor::QuantizeOptions o;
  o.head = head;
  o.cancel = cancel;
  o.progress = [&stop, callback = Progress{Callable(std::move(progress))}](float fraction) {
    return !stop && callback(fraction);
  };
  lq_quantize_result r = LQ_QUANTIZE_RESULT_INIT;
  const auto write = [&] {
    const loquor::Context context(c);
    r = adapters ? loquor::merge_adapters(source, *adapters, target, type, o, context)
                 : loquor::quantize(source, target, type, o, context);
  };
  interruptible(write, [&] { stop = true; });
  py::dict d;
  d["tensors"] = r.tensors;
  d["converted"] = r.converted;
  d["requantized"] = r.requantized;
  d["odd"] = r.odd;
  d["merged"] = r.merged;
  d["head"] = r.head;
  d["source_bytes"] = r.source_bytes;
  d["target_bytes"] = r.target_bytes;
  return d;
}

}  // namespace

void bind_model(py::module_& m) {
  py::class_<loquor::Cancel>(m, "Cancel")
      .def(py::init<>())
      .def("trigger", &loquor::Cancel::trigger)
      .def("reset", &loquor::Cancel::reset)
      .def_property_readonly("is_set", &loquor::Cancel::is_set);
  py::class_<Model>(m, "Model")
      .def(py::init(&load))
      .def("info", &info)
      .def("metadata", &metadata)
      .def_property_readonly("load_ms", &Model::load_ms)
      .def_property_readonly("isa", [](const Model& x) { return x.context().isa(); })
      .def_property_readonly("threads", [](const Model& x) { return x.context().threads(); })
      .def_property_readonly("vocab_size", &Model::vocab_size)
      .def("attention", &attention)
      .def("tokenize",
           [](const Model& x, const py::bytes& text, bool add_special, bool parse_special) {
             const std::string_view view = text;
             loquor::Tokens tokens;
             {
               py::gil_scoped_release release;
               tokens = x.tokenize(view, add_special, parse_special);
             }
             return to_array(tokens);
           })
      .def("detokenize",
           [](const Model& x, const loquor::Tokens& t, bool special) { return py::bytes(x.detokenize(t, special)); })
      .def("token_text", [](const Model& x, std::int32_t t) { return to_str(x.token_text(t)); })
      .def("find_token", [](const Model& x, const std::string& text) { return x.find_token(text); })
      .def("special_token", [](const Model& x, const std::string& role) { return x.special_token(role.c_str()); })
      .def("is_end_token", &Model::is_end_token)
      .def("render",
           [](const Model& x, const std::vector<std::array<std::string, 3>>& messages, bool prompt,
              const std::string& tools, const std::string& extra) {
             return to_str(loquor::ChatTemplate(x).render(messages_of(messages), {prompt, tools, extra}));
           })
      .def("perplexity", &perplexity)
      .def("mmlu", &mmlu);
  m.def("quantize", &quantize);
  m.def("mmlu_subjects", &loquor::mmlu_subjects);
  m.def("catalogue", &catalogue);
  m.def("model_path", [](const std::string& s) { return loquor::model_path(s); });
  m.def("inspect_json", [](const std::string& s) { return loquor::inspect_json(s); });
}
