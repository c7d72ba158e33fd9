#include "loquor/train/trainer.hpp"

#include "args.hpp"
#include "base.hpp"
#include "loquor/train/state_dict.hpp"
#include "train.hpp"

namespace lq::capi {
namespace {

struct NetworkObject final : Object {
  static constexpr Kind kKind = Kind::network;
  NetworkObject(std::shared_ptr<const Context> c, std::unique_ptr<nn::Network> n)
      : Object(kKind), context(std::move(c)), network(std::move(n)), predictor(*network) {}
  std::shared_ptr<const Context> context;
  std::shared_ptr<nn::Network> network;
  Predictor predictor;
  std::unique_ptr<Predictor> carrying;
};

struct DatasetObject final : Object {
  static constexpr Kind kKind = Kind::dataset;
  explicit DatasetObject(std::unique_ptr<Dataset> d) : Object(kKind), data(std::move(d)) {}
  std::unique_ptr<Dataset> data;
};

struct TrainerObject final : Object {
  static constexpr Kind kKind = Kind::trainer;
  TrainerObject(const NetworkObject& n, const TrainOptions& options)
      : Object(kKind), context(n.context), network(n.network), trainer(*network, options) {}
  std::shared_ptr<const Context> context;
  std::shared_ptr<nn::Network> network;
  Trainer trainer;
};

Shape shape_arg(const Call& call, const lq_array* a, const char* name) {
  out_struct_size(call, a, name);
  LQ_CHECK(a->rank >= 1 && a->rank <= 4, Code::invalid_argument, call.function(), ": ", name, ": rank is ", a->rank,
           ", expected 1 to 4");
  Shape shape;
  for (std::uint32_t i = 0; i < a->rank; ++i) {
    LQ_CHECK(a->shape[i] > 0 && a->shape[i] <= LQ_MAX_TOKENS, Code::invalid_argument, call.function(), ": ", name,
             ": shape[", i, "] is ", a->shape[i]);
    shape.push_back(static_cast<std::size_t>(a->shape[i]));
  }
  LQ_CHECK(a->data, Code::invalid_argument, call.function(), ": ", name, ": data is NULL");
  LQ_CHECK(shape.count() <= SIZE_MAX / 8, Code::limit, call.function(), ": ", name, " has ", shape.count(), " values");
  return shape;
}

Shape without_first(const Shape& shape) {
  Shape rest;
  for (std::size_t i = 1; i < shape.rank(); ++i) rest.push_back(shape[i]);
  return rest;
}

// Examples of two arrays.
struct Pairs {
  Shape x, y;
  std::size_t n;
  Pairs(const Call& call, const lq_array* a, const lq_array* b) {
    const Shape xs = shape_arg(call, a, "x"), ys = shape_arg(call, b, "y");
    LQ_CHECK(xs[0] == ys[0], Code::invalid_argument, call.function(), ": x has ", xs[0], " examples, y has ", ys[0]);
    n = xs[0];
    x = without_first(xs);
    y = without_first(ys);
  }
};

}  // namespace

TrainOptions train_options(const Call& call, const lq_train_options* options) {
  const auto o = options_arg<lq_train_options>(call, options, LQ_TRAIN_OPTIONS_INIT);
  LQ_CHECK(o.loss == LQ_LOSS_CROSS_ENTROPY || o.loss == LQ_LOSS_MEAN_SQUARED_ERROR, Code::invalid_argument,
           call.function(), ": options.loss is ", o.loss);
  TrainOptions t;
  t.loss = static_cast<nn::Loss>(o.loss);
  if (o.optimizer && *o.optimizer) t.optimizer.name = name_arg(call, o.optimizer, "options.optimizer");
  if (o.schedule && *o.schedule) t.schedule = name_arg(call, o.schedule, "options.schedule");
  if (o.checkpoint && *o.checkpoint) t.checkpoint = name_arg(call, o.checkpoint, "options.checkpoint");
  if (o.learning_rate != 0) t.learning_rate = o.learning_rate;
  if (o.beta1 != 0) t.optimizer.beta1 = o.beta1;
  if (o.beta2 != 0) t.optimizer.beta2 = o.beta2;
  if (o.eps != 0) t.optimizer.eps = o.eps;
  t.optimizer.momentum = o.momentum;
  t.optimizer.weight_decay = o.weight_decay;
  t.optimizer.clip = o.clip;
  t.optimizer.nesterov = o.nesterov != 0;
  t.min_rate = o.min_rate;
  t.shuffle = o.in_order == 0;
  t.carry = o.carry != 0;
  t.seed = o.seed;
  if (o.batch) t.batch = o.batch;
  if (o.accumulate) t.accumulate = o.accumulate;
  t.steps = o.steps;
  if (o.epochs) t.epochs = o.epochs;
  t.warmup = o.warmup;
  t.eval_every = o.eval_every;
  t.patience = o.patience;
  t.checkpoint_every = o.checkpoint_every;
  return t;
}

lq_train_progress to_c(const TrainProgress& p) {
  lq_train_progress out = LQ_TRAIN_PROGRESS_INIT;
  out.step = p.step;
  out.steps = p.steps;
  out.epoch = p.epoch;
  out.skipped = p.skipped;
  out.loss = p.loss;
  out.rate = p.rate;
  out.gradient_norm = p.gradient_norm;
  out.eval_loss = p.eval_loss;
  out.examples_per_s = p.examples_per_s;
  return out;
}

namespace {

template <class T>
void put_shape(T& out, const Shape& shape) {
  out.rank = static_cast<std::uint32_t>(shape.rank());
  for (std::size_t i = 0; i < shape.rank(); ++i) out.shape[i] = shape[i];
}

// A cancel handle's flag for the time of a call.
class Cancelling {
 public:
  Cancelling(const Call& call, Trainer& trainer, const lq_cancel* cancel) : trainer_(trainer) {
    if (cancel) use_ = Use<CancelObject>(call, cancel, "cancel");
    trainer_.watch(cancel ? use_->flag.get() : nullptr);
  }
  ~Cancelling() { trainer_.watch(nullptr); }
  Cancelling(const Cancelling&) = delete;
  Cancelling& operator=(const Cancelling&) = delete;

 private:
  Trainer& trainer_;
  Use<CancelObject> use_;
};

}  // namespace
}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_network_create(lq_network** out, lq_context* context, const char* description, uint64_t seed) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const auto ctx = call.on<ContextObject>(context, "context").context;
    auto net = std::make_unique<nn::Network>(*ctx, name_arg(call, description, "description"), seed);
    *out = new_handle<NetworkObject, lq_network>(ctx, std::move(net));
  });
}

lq_status lq_network_load(lq_network** out, lq_context* context, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const auto ctx = call.on<ContextObject>(context, "context").context;
    *out = new_handle<NetworkObject, lq_network>(ctx, load_network(*ctx, name_arg(call, path, "path")));
  });
}

void lq_network_free(lq_network* network) noexcept { free_handle(network, Kind::network); }

lq_status lq_network_save(const lq_network* network, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    const NetworkObject& n = call.on<NetworkObject>(network, "network");
    save_network(name_arg(call, path, "path"), *n.network);
  });
}

lq_status lq_network_load_parameters(lq_network* network, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    NetworkObject& n = call.on<NetworkObject>(network, "network");
    load_parameters(name_arg(call, path, "path"), n.network->parameters());
  });
}

lq_status lq_network_description(const char** out, const lq_network* network) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    *out = call.on<NetworkObject>(network, "network").network->description().c_str();
  });
}

lq_status lq_network_parameter_count(size_t* out, const lq_network* network) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<NetworkObject>(network, "network").network->parameters().all().size();
  });
}

lq_status lq_network_parameter(lq_parameter* out, const lq_network* network, size_t index) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    lq_parameter p = LQ_PARAMETER_INIT;
    write_struct(out, p);
    const auto all = call.on<NetworkObject>(network, "network").network->parameters().all();
    LQ_CHECK(index < all.size(), Code::invalid_argument, call.function(), ": index is ", index, " of ", all.size());
    put_shape(p, all[index]->shape);
    p.count = all[index]->count;
    p.name = all[index]->name.c_str();
    p.data = all[index]->value;
    write_struct(out, p);
  });
}

lq_status lq_network_run(lq_array* out, lq_network* network, const lq_array* x, int32_t carry) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    lq_array result = LQ_ARRAY_INIT;
    write_struct(out, result);
    NetworkObject& n = call.on<NetworkObject>(network, "network");
    const Shape shape = shape_arg(call, x, "x");
    if (carry && !n.carrying) n.carrying = std::make_unique<Predictor>(*n.network, true);
    const Predictor::Output y = (carry ? *n.carrying : n.predictor).run(x->data, shape);
    put_shape(result, y.shape);
    result.data = y.data;
    write_struct(out, result);
  });
}

lq_status lq_network_reset(lq_network* network) noexcept {
  return guard(__func__, [&](Call& call) { call.on<NetworkObject>(network, "network").carrying.reset(); });
}

lq_status lq_network_error(char* out, size_t capacity, size_t* length, const lq_network* network) noexcept {
  return object_error(__func__, out, capacity, length, network, Kind::network);
}

lq_status lq_dataset_create(lq_dataset** out, const lq_array* x, const lq_array* y) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const Pairs p(call, x, y);
    *out = new_handle<DatasetObject, lq_dataset>(array_dataset(p.n, x->data, p.x, y->data, p.y));
  });
}

lq_status lq_dataset_create_text(lq_dataset** out, const int32_t* ids, size_t count, size_t window,
                                 size_t stride) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    *out = new_handle<DatasetObject, lq_dataset>(text_dataset(array_arg(call, ids, count, "ids"), window, stride));
  });
}

void lq_dataset_free(lq_dataset* dataset) noexcept { free_handle(dataset, Kind::dataset); }

lq_status lq_dataset_size(uint64_t* out, const lq_dataset* dataset) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<DatasetObject>(dataset, "dataset").data->size();
  });
}

lq_status lq_dataset_error(char* out, size_t capacity, size_t* length, const lq_dataset* dataset) noexcept {
  return object_error(__func__, out, capacity, length, dataset, Kind::dataset);
}

lq_status lq_trainer_create(lq_trainer** out, lq_network* network, const lq_train_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const NetworkObject& n = call.on<NetworkObject>(network, "network");
    *out = new_handle<TrainerObject, lq_trainer>(n, train_options(call, options));
  });
}

void lq_trainer_free(lq_trainer* trainer) noexcept { free_handle(trainer, Kind::trainer); }

lq_status lq_trainer_fit(lq_train_progress* out, lq_trainer* trainer, lq_dataset* train, lq_dataset* eval,
                         lq_train_fn progress, void* user, const lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) {
    if (out) {
      out_struct_size(call, out, "out");
      write_struct(out, lq_train_progress LQ_TRAIN_PROGRESS_INIT);
    }
    Trainer& t = call.on<TrainerObject>(trainer, "trainer").trainer;
    const Use<DatasetObject> data(call, train, "train");
    Use<DatasetObject> held_out;
    if (eval) held_out = Use<DatasetObject>(call, eval, "eval");
    const Cancelling watch(call, t, cancel);
    ProgressFn fn;
    if (progress)
      fn = [&](const TrainProgress& p) {
        const lq_train_progress now = to_c(p);
        return progress(&now, user) == 0;
      };
    const TrainProgress done = t.fit(*data->data, eval ? held_out->data.get() : nullptr, fn);
    if (out) write_struct(out, to_c(done));
  });
}

lq_status lq_trainer_step(double* loss, lq_trainer* trainer, const lq_array* x, const lq_array* y) noexcept {
  return guard(__func__, [&](Call& call) {
    if (loss) *loss = 0;
    Trainer& t = call.on<TrainerObject>(trainer, "trainer").trainer;
    const Pairs p(call, x, y);
    const double value = t.step(p.n, x->data, p.x, y->data, p.y);
    if (loss) *loss = value;
  });
}

lq_status lq_trainer_evaluate(double* out, lq_trainer* trainer, lq_dataset* data, const lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    Trainer& t = call.on<TrainerObject>(trainer, "trainer").trainer;
    const Use<DatasetObject> d(call, data, "data");
    const Cancelling watch(call, t, cancel);
    *out = t.evaluate(*d->data);
  });
}

lq_status lq_trainer_save(const lq_trainer* trainer, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    const TrainerObject& t = call.on<TrainerObject>(trainer, "trainer");
    t.trainer.save_checkpoint(name_arg(call, path, "path"));
  });
}

lq_status lq_trainer_load(lq_trainer* trainer, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    TrainerObject& t = call.on<TrainerObject>(trainer, "trainer");
    t.trainer.load_checkpoint(name_arg(call, path, "path"));
  });
}

lq_status lq_trainer_error(char* out, size_t capacity, size_t* length, const lq_trainer* trainer) noexcept {
  return object_error(__func__, out, capacity, length, trainer, Kind::trainer);
}

}  // extern "C"
