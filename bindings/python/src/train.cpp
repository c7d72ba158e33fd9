// Networks and their training. Arrays arrive as C-contiguous float32 or int32 (loquor/nn.py sees to it).
#include "train.hpp"
#include "convert.hpp"
#include "interruptible.hpp"

namespace {

using loquor::Dataset;
using loquor::Network;
using loquor::Trainer;

loquor::Array to_array(const py::array& a) {
  loquor::Array out;
  out.data = a.data();
  for (py::ssize_t i = 0; i < a.ndim(); ++i) out.shape.push_back(static_cast<std::uint64_t>(a.shape(i)));
  return out;
}

loquor::Context make_context(std::uint32_t threads, const std::string& isa) {
  loquor::ContextOptions o;
  o.threads = threads;
  o.isa = isa;
  return loquor::Context(o);
}

py::array_t<float> run(Network& n, const py::array& x, bool carry) {
  const loquor::Array in = to_array(x);
  Network::Output out;
  {
    py::gil_scoped_release release;
    out = n.run(in, carry);
  }
  py::array_t<float> result(std::vector<py::ssize_t>(out.shape.begin(), out.shape.end()));
  std::copy_n(out.data, result.size(), result.mutable_data());
  return result;
}

// Views of the network's own memory, which they keep alive.
py::dict parameters(const py::object& self) {
  py::dict d;
  for (const lq_parameter& p : self.cast<Network&>().parameters()) {
    const std::vector<py::ssize_t> shape(p.shape, p.shape + p.rank);
    d[p.name] = py::array_t<float>(shape, p.data, self);
  }
  return d;
}

py::dict to_dict(const lq_train_progress& p) {
  py::dict d;
  d["step"] = p.step;
  d["steps"] = p.steps;
  d["epoch"] = p.epoch;
  d["skipped"] = p.skipped;
  d["loss"] = p.loss;
  d["rate"] = p.rate;
  d["gradient_norm"] = p.gradient_norm;
  d["eval_loss"] = p.eval_loss;
  d["examples_per_s"] = p.examples_per_s;
  return d;
}

// A call that Ctrl-C or the caller's handle ends.
template <class Fn>
void cancellable(loquor::Cancel* given, const Fn& fn) {
  loquor::Cancel own;
  loquor::Cancel& cancel = given ? *given : own;
  interruptible([&] { fn(cancel); }, [&] { cancel.trigger(); });
}

py::dict fit(Trainer& t, const Dataset& train, const Dataset* eval, py::object progress, loquor::Cancel* cancel) {
  loquor::TrainFn fn;
  if (!progress.is_none()) fn = train_progress(std::move(progress));
  lq_train_progress done = LQ_TRAIN_PROGRESS_INIT;
  cancellable(cancel, [&](const loquor::Cancel& c) { done = t.fit(train, eval, fn, &c); });
  return to_dict(done);
}

double evaluate(Trainer& t, const Dataset& data, loquor::Cancel* cancel) {
  double loss = 0;
  cancellable(cancel, [&](const loquor::Cancel& c) { loss = t.evaluate(data, &c); });
  return loss;
}

double step(Trainer& t, const py::array& x, const py::array& y) {
  const loquor::Array a = to_array(x), b = to_array(y);
  const py::gil_scoped_release release;
  return t.step(a, b);
}

}  // namespace

loquor::TrainOptions train_options(const py::dict& d) {
  loquor::TrainOptions o;
  o.loss = d["loss"].cast<std::string>() == "mse" ? LQ_LOSS_MEAN_SQUARED_ERROR : LQ_LOSS_CROSS_ENTROPY;
  o.optimizer = d["optimizer"].cast<std::string>();
  o.schedule = d["schedule"].cast<std::string>();
  o.checkpoint = d["checkpoint"].cast<std::string>();
  const auto real = [&](const char* name) { return d[name].cast<double>(); };
  const auto count = [&](const char* name) { return d[name].cast<std::uint64_t>(); };
  o.learning_rate = real("learning_rate");
  o.min_rate = real("min_rate");
  o.beta1 = real("beta1");
  o.beta2 = real("beta2");
  o.eps = real("eps");
  o.momentum = real("momentum");
  o.weight_decay = real("weight_decay");
  o.clip = real("clip");
  o.nesterov = d["nesterov"].cast<bool>();
  o.shuffle = d["shuffle"].cast<bool>();
  o.carry = d["carry"].cast<bool>();
  o.seed = count("seed");
  o.batch = count("batch");
  o.accumulate = count("accumulate");
  o.steps = count("steps");
  o.epochs = count("epochs");
  o.warmup = count("warmup");
  o.eval_every = count("eval_every");
  o.patience = count("patience");
  o.checkpoint_every = count("checkpoint_every");
  return o;
}

loquor::TrainFn train_progress(py::object callback) {
  return [callback = Callable(std::move(callback))](const lq_train_progress& p) {
    const py::gil_scoped_acquire gil;
    const py::object go_on = callback.get()(to_dict(p));
    return go_on.is_none() || go_on.cast<bool>();
  };
}

void bind_train(py::module_& m) {
  py::class_<Network>(m, "Network")
      .def(py::init([](const std::string& description, std::uint64_t seed, std::uint32_t threads,
                       const std::string& isa) { return Network(description, seed, make_context(threads, isa)); }))
      .def_static("load", [](const std::string& path, std::uint32_t threads,
                             const std::string& isa) { return Network::load(path, make_context(threads, isa)); })
      .def("save", &Network::save)
      .def("load_parameters", &Network::load_parameters)
      .def_property_readonly("description", &Network::description)
      .def("parameters", &parameters)
      .def("run", &run)
      .def("reset", &Network::reset);
  py::class_<Dataset>(m, "Dataset")
      .def(py::init([](const py::array& x, const py::array& y) { return Dataset(to_array(x), to_array(y)); }))
      .def(py::init([](const py::array_t<std::int32_t>& ids, std::size_t window, std::size_t stride) {
        return Dataset(std::vector<std::int32_t>(ids.data(), ids.data() + ids.size()), window, stride);
      }))
      .def("__len__", &Dataset::size);
  py::class_<Trainer>(m, "Trainer")
      .def(py::init([](const Network& n, const py::dict& o) { return Trainer(n, train_options(o)); }))
      .def("fit", &fit)
      .def("step", &step)
      .def("evaluate", &evaluate)
      .def("save", &Trainer::save)
      .def("load", &Trainer::load);
}
