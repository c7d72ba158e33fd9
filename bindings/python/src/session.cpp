// Sessions and generation. Long work is done in slices, with Python's signal handlers run in between.
#include <algorithm>

#include "convert.hpp"
#include "interruptible.hpp"

namespace {

using loquor::Session;

constexpr std::uint64_t kSliceUs = 50'000;
constexpr std::size_t kLongFeed = 16;  // tokens; what is shorter ends soon enough by itself

std::unique_ptr<Session> create(const loquor::Model& model, std::uint32_t n_ctx, const std::string& kv_type,
                                const std::string& overflow, std::uint32_t slide_keep, std::uint32_t prefill_chunk,
                                std::uint64_t memory_cap) {
  loquor::SessionOptions o;
  o.n_ctx = n_ctx;
  o.kv_type = kv_type;
  if (overflow != "error" && overflow != "slide")
    throw loquor::Error(LQ_ERR_INVALID_ARGUMENT, "overflow: '" + overflow + "', expected 'error' or 'slide'");
  o.overflow = overflow == "slide" ? LQ_OVERFLOW_SLIDE : LQ_OVERFLOW_ERROR;
  o.slide_keep = slide_keep;
  o.prefill_chunk = prefill_chunk;
  o.memory_cap = memory_cap;
  return std::make_unique<Session>(model, o);
}

// Work on the session that Ctrl-C ends as cancel() would.
template <class Fn>
auto run(Session& s, Fn&& body) {
  if constexpr (std::is_void_v<decltype(body())>) {
    interruptible(body, [&] { s.cancel(); });
  } else {
    decltype(body()) out;
    interruptible([&] { out = body(); }, [&] { s.cancel(); });
    return out;
  }
}

void feed(Session& s, const loquor::Tokens& tokens) {
  if (tokens.size() >= kLongFeed) return run(s, [&] { s.feed(tokens); });
  {
    py::gil_scoped_release release;
    s.feed(tokens);
  }
  check_signals();
}

py::array_t<float> logits(Session& s) {
  std::size_t n = 0;
  const float* values = nullptr;
  {
    py::gil_scoped_release release;
    values = s.logits(&n);
  }
  return py::array_t<float>(static_cast<py::ssize_t>(n), values);
}

// Logits after each token, (len(tokens), n_vocab).
py::array_t<float> eval_logits(Session& s, const loquor::Tokens& tokens) {
  py::array_t<float> out({static_cast<py::ssize_t>(tokens.size()), static_cast<py::ssize_t>(s.model().vocab_size())});
  float* data = out.mutable_data();
  const auto width = static_cast<std::size_t>(out.shape(1));
  std::size_t row = 0;
  run(s, [&] {
    s.eval(tokens, [&](std::size_t, const float* values, std::size_t n) {
      std::copy(values, values + std::min(n, width), data + row++ * width);
      return true;
    });
  });
  return out;
}

// The scores of some tokens, after the session's tokens or after a prompt that replaces them.
py::array_t<float> logits_of(Session& s, const loquor::Tokens& ids, const std::optional<loquor::Tokens>& prompt) {
  const std::vector<float> values = run(s, [&] { return prompt ? s.logits_of(*prompt, ids) : s.logits_of(ids); });
  return py::array_t<float>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::dict stats(const loquor::PrefixCache& c) {
  const lq_prefix_cache_stats s = c.stats();
  py::dict d;
  d["lookups"] = s.lookups;
  d["hits"] = s.hits;
  d["reused_tokens"] = s.reused_tokens;
  d["entries"] = s.entries;
  d["bytes"] = s.bytes;
  d["max_bytes"] = s.max_bytes;
  d["evicted"] = s.evicted;
  return d;
}

loquor::GenerateOptions options_of(const py::dict& d, const loquor::Sampler* sampler, const loquor::Cancel* cancel) {
  loquor::GenerateOptions o;
  o.max_tokens = d["max_tokens"].cast<std::uint32_t>();
  o.stop = d["stop"].cast<std::vector<std::string>>();
  o.stop_tokens = d["stop_tokens"].cast<loquor::Tokens>();
  o.logprobs = d["logprobs"].cast<std::uint32_t>();
  o.ignore_end = d["ignore_end"].cast<bool>();
  o.append = d["append"].cast<bool>();
  o.parse_special = d["parse_special"].cast<bool>();
  o.lookup = d["lookup"].cast<std::int32_t>();
  if (const py::object g = d["grammar"]; !g.is_none()) o.grammar = &g.cast<const loquor::Grammar&>();
  o.sampler = sampler;
  o.cancel = cancel;
  return o;
}

void start_chat(Session& s, const std::vector<std::array<std::string, 3>>& list, const py::dict& options,
                const loquor::Sampler* sampler, const loquor::Cancel* cancel, const std::string& tools,
                const std::string& extra) {
  std::vector<loquor::Message> messages;
  for (const auto& m : list) messages.push_back({m[0], m[1], m[2]});
  s.start_chat(messages, options_of(options, sampler, cancel), {true, tools, extra});
}

py::tuple to_tuple(const loquor::Event& e) {
  py::list top;
  for (const lq_logprob& l : e.top()) top.append(py::make_tuple(l.token, l.logprob));
  return py::make_tuple(static_cast<int>(e.kind()), e.token(), to_str(e.text()), e.logprob(), top,
                        lq_finish_name(e.finish()), e.raw.prompt_done, e.raw.prompt_total);
}

// Until a token, the end, or the budget.
py::tuple step(Session& s, std::uint64_t budget_us) {
  for (;;) {
    const std::uint64_t slice = std::min(budget_us, kSliceUs);
    loquor::Event e;
    {
      py::gil_scoped_release release;
      e = s.step(slice);
    }
    check_signals();
    if (e.kind() != LQ_EVENT_WORKING || budget_us <= kSliceUs) return to_tuple(e);
    if (budget_us != LQ_BUDGET_NONE) budget_us -= slice;
  }
}

py::dict result(const Session& s) {
  const lq_result r = s.result();
  py::dict d;
  d["finish"] = lq_finish_name(static_cast<lq_finish>(r.finish));
  d["prompt_tokens"] = r.prompt_tokens;
  d["reused_tokens"] = r.reused_tokens;
  d["generated_tokens"] = r.generated_tokens;
  d["load_ms"] = r.load_ms;
  d["prefill_ms"] = r.prefill_ms;
  d["decode_ms"] = r.decode_ms;
  d["first_token_ms"] = r.first_token_ms;
  d["prefill_tps"] = r.prefill_tps;
  d["decode_tps"] = r.decode_tps;
  d["drafted_tokens"] = r.drafted_tokens;
  d["accepted_tokens"] = r.accepted_tokens;
  return d;
}

}  // namespace

void bind_session(py::module_& m) {
  using Release = py::call_guard<py::gil_scoped_release>;
  py::class_<loquor::Adapter>(m, "Adapter")
      .def(py::init<const loquor::Model&, const std::string&>(), Release())
      .def_property_readonly("targets", &loquor::Adapter::targets);
  py::class_<loquor::PrefixCache>(m, "PrefixCache")
      .def(py::init<const loquor::Model&, std::uint64_t>())
      .def("resize", &loquor::PrefixCache::resize, Release())
      .def("clear", &loquor::PrefixCache::clear, Release())
      .def("stats", &stats);
  py::class_<Session>(m, "Session")
      .def(py::init(&create))
      .def("fork", [](Session& s) { return std::make_unique<Session>(s.fork()); })
      .def("set_prompt", [](Session& s, const loquor::Tokens& t) { return run(s, [&] { return s.set_prompt(t); }); })
      .def("feed", &feed)
      .def("logits", &logits)
      .def("logits_of", &logits_of)
      .def("use_prefix_cache", &Session::use_prefix_cache)
      .def("set_adapters", &Session::set_adapters)
      .def("eval_logits", &eval_logits)
      .def("score", [](Session& s, const loquor::Tokens& t) { return run(s, [&] { return s.score(t); }); })
      .def("rewind", &Session::rewind)
      .def_property_readonly("length", &Session::length)
      .def_property_readonly("capacity", &Session::capacity)
      .def_property_readonly("memory", &Session::memory)
      .def("profile", py::overload_cast<bool>(&Session::profile))
      .def("profile",
           [](const Session& s) {
             py::dict parts;
             for (const lq_profile_part& p : s.profile())
               parts[p.name] =
                   py::dict(py::arg("calls") = p.calls, py::arg("seconds") = p.seconds, py::arg("bytes") = p.bytes);
             return parts;
           })
      .def("tokens", &Session::tokens)
      .def("save_file", &Session::save_file, Release())
      .def("load_file", &Session::load_file, Release())
      .def("save",
           [](const Session& s) {
             std::vector<unsigned char> state;
             {
               py::gil_scoped_release release;
               state = s.save();
             }
             return py::bytes(reinterpret_cast<const char*>(state.data()), state.size());
           })
      .def("load",
           [](Session& s, const py::bytes& state) {
             const std::string_view view = state;
             py::gil_scoped_release release;
             s.load(view.data(), view.size());
           })
      .def("start_tokens", [](Session& s, const loquor::Tokens& t, const py::dict& o, const loquor::Sampler* sampler,
                              const loquor::Cancel* cancel) { s.start(t, options_of(o, sampler, cancel)); })
      .def("start_rest", [](Session& s, const py::dict& o, const loquor::Sampler* sampler,
                            const loquor::Cancel* cancel) { s.start_rest(options_of(o, sampler, cancel)); })
      .def("start_text", [](Session& s, const std::string& t, const py::dict& o, const loquor::Sampler* sampler,
                            const loquor::Cancel* cancel) { s.start(t, options_of(o, sampler, cancel)); })
      .def("start_chat", &start_chat)
      .def("step", &step)
      .def("stop", &Session::stop)
      .def("cancel", &Session::cancel)
      .def("result", &result)
      .def("output", [](const Session& s) { return to_str(s.output()); })
      .def("output_tokens", &Session::output_tokens);
}
