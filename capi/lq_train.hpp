// Part of loquor.hpp: networks and their training.
#ifndef LOQUOR_LQ_TRAIN_HPP
#define LOQUOR_LQ_TRAIN_HPP

#include <cmath>
#include <limits>

#include "lq_base.hpp"
#include "lq_train.h"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_network* raw) noexcept {
  lq_network_free(raw);
}
template <>
inline void free_handle(lq_dataset* raw) noexcept {
  lq_dataset_free(raw);
}
template <>
inline void free_handle(lq_trainer* raw) noexcept {
  lq_trainer_free(raw);
}
}  // namespace detail

// Numbers or ids of the caller's with a shape; the first dimension counts examples.
struct Array {
  const void* data = nullptr;
  std::vector<std::uint64_t> shape;
  Array() = default;
  Array(const float* values, std::vector<std::uint64_t> dims) : data(values), shape(std::move(dims)) {}
  Array(const std::int32_t* ids, std::vector<std::uint64_t> dims) : data(ids), shape(std::move(dims)) {}
  lq_array raw() const {
    if (shape.size() > 4) throw Error(LQ_ERR_INVALID_ARGUMENT, "array: more than four dimensions");
    lq_array a = LQ_ARRAY_INIT;
    a.rank = static_cast<std::uint32_t>(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) a.shape[i] = shape[i];
    a.data = data;
    return a;
  }
};

// Layers in a row, described by text (docs/training.md). One thread at a time, trainers included.
class Network {
 public:
  explicit Network(const std::string& description, std::uint64_t seed = 0, const Context& context = Context()) {
    detail::check(lq_network_create(raw_.out(), context.get(), description.c_str(), seed));
  }
  static Network load(const std::string& path, const Context& context = Context()) {
    Network n{Empty()};
    detail::check(lq_network_load(n.raw_.out(), context.get(), path.c_str()));
    return n;
  }
  void save(const std::string& path) const { detail::check(lq_network_save(raw_.get(), path.c_str())); }
  void load_parameters(const std::string& path) { detail::check(lq_network_load_parameters(raw_.get(), path.c_str())); }
  std::string description() const {
    const char* text = nullptr;
    detail::check(lq_network_description(&text, raw_.get()));
    return text;
  }
  // Name, shape and the values themselves, which may be changed between calls.
  std::vector<lq_parameter> parameters() const {
    std::size_t n = 0;
    detail::check(lq_network_parameter_count(&n, raw_.get()));
    std::vector<lq_parameter> all(n, lq_parameter LQ_PARAMETER_INIT);
    for (std::size_t i = 0; i < n; ++i) detail::check(lq_network_parameter(&all[i], raw_.get(), i));
    return all;
  }
  struct Output {
    const float* data = nullptr;  // until the next run
    std::vector<std::uint64_t> shape;
  };
  // With carry, recurrent layers go on from where the last such run ended.
  Output run(const Array& x, bool carry = false) {
    const lq_array in = x.raw();
    lq_array out = LQ_ARRAY_INIT;
    detail::check(lq_network_run(&out, raw_.get(), &in, carry ? 1 : 0));
    return {static_cast<const float*>(out.data), {out.shape, out.shape + out.rank}};
  }
  void reset() { detail::check(lq_network_reset(raw_.get())); }
  lq_network* get() const noexcept { return raw_.get(); }

 private:
  struct Empty {};
  explicit Network(Empty) {}
  detail::Owner<lq_network> raw_;
};

// Pairs of an input and what should come out; copied from the arrays.
class Dataset {
 public:
  Dataset(const Array& x, const Array& y) {
    const lq_array a = x.raw(), b = y.raw();
    detail::check(lq_dataset_create(raw_.out(), &a, &b));
  }
  // Windows of a text, each with the ids one later.
  Dataset(const std::vector<std::int32_t>& ids, std::size_t window, std::size_t stride) {
    detail::check(lq_dataset_create_text(raw_.out(), ids.data(), ids.size(), window, stride));
  }
  std::uint64_t size() const {
    std::uint64_t n = 0;
    detail::check(lq_dataset_size(&n, raw_.get()));
    return n;
  }
  lq_dataset* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_dataset> raw_;
};

// See lq_train_options; 0 is the default of each number.
struct TrainOptions {
  lq_loss loss = LQ_LOSS_CROSS_ENTROPY;
  std::string optimizer = "adamw";    // "sgd", "adam", "adamw"
  std::string schedule = "constant";  // "linear", "cosine"
  double learning_rate = 0, min_rate = 0, beta1 = 0, beta2 = 0, eps = 0, momentum = 0, weight_decay = 0, clip = 0;
  bool nesterov = false, shuffle = true, carry = false;
  std::uint64_t seed = 0, batch = 0, accumulate = 0, steps = 0, epochs = 0, warmup = 0, eval_every = 0, patience = 0;
  std::uint64_t checkpoint_every = 0;
  std::string checkpoint = {};

  lq_train_options raw() const {
    lq_train_options o = LQ_TRAIN_OPTIONS_INIT;
    o.loss = loss;
    o.optimizer = optimizer.c_str();
    o.schedule = schedule.c_str();
    o.learning_rate = learning_rate;
    o.min_rate = min_rate;
    o.beta1 = beta1;
    o.beta2 = beta2;
    o.eps = eps;
    o.momentum = momentum;
    o.weight_decay = weight_decay;
    o.clip = clip;
    o.nesterov = nesterov ? 1 : 0;
    o.in_order = shuffle ? 0 : 1;
    o.carry = carry ? 1 : 0;
    o.seed = seed;
    o.batch = batch;
    o.accumulate = accumulate;
    o.steps = steps;
    o.epochs = epochs;
    o.warmup = warmup;
    o.eval_every = eval_every;
    o.patience = patience;
    o.checkpoint_every = checkpoint_every;
    o.checkpoint = checkpoint.c_str();
    return o;
  }
};

// After each update; false ends training there.
using TrainFn = std::function<bool(const lq_train_progress&)>;

class Trainer {
 public:
  explicit Trainer(const Network& network, const TrainOptions& options = {}) {
    const lq_train_options o = options.raw();
    detail::check(lq_trainer_create(raw_.out(), network.get(), &o));
  }
  lq_train_progress fit(const Dataset& train, const Dataset* eval = nullptr, const TrainFn& progress = {},
                        const Cancel* cancel = nullptr) {
    lq_train_progress out = LQ_TRAIN_PROGRESS_INIT;
    const lq_train_fn thunk = [](const lq_train_progress* p, void* user) -> int {
      return detail::shield([&] { return (*static_cast<const TrainFn*>(user))(*p); });
    };
    detail::check(lq_trainer_fit(&out, raw_.get(), train.get(), eval ? eval->get() : nullptr,
                                 progress ? thunk : nullptr, const_cast<TrainFn*>(&progress),
                                 cancel ? cancel->get() : nullptr));
    return out;
  }
  double step(const Array& x, const Array& y) {
    const lq_array a = x.raw(), b = y.raw();
    double loss = 0;
    detail::check(lq_trainer_step(&loss, raw_.get(), &a, &b));
    return loss;
  }
  double evaluate(const Dataset& data, const Cancel* cancel = nullptr) {
    double loss = 0;
    detail::check(lq_trainer_evaluate(&loss, raw_.get(), data.get(), cancel ? cancel->get() : nullptr));
    return loss;
  }
  void save(const std::string& path) const { detail::check(lq_trainer_save(raw_.get(), path.c_str())); }
  void load(const std::string& path) { detail::check(lq_trainer_load(raw_.get(), path.c_str())); }
  lq_trainer* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_trainer> raw_;
};

}  // namespace loquor
#endif
