#include "loquor/train/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "shape_key.hpp"
#include "tape.hpp"

namespace lq {
namespace {

constexpr std::size_t kMostShapes = 16;
constexpr std::size_t kSkippedInARow = 10;
constexpr std::uint64_t kOrderStream = 0x6f72646572;  // of random numbers

void check(const TrainOptions& o) {
  LQ_CHECK(o.schedule == "constant" || o.schedule == "linear" || o.schedule == "cosine", Code::invalid_argument,
           "training: no schedule '", o.schedule, "'; there are constant, linear, cosine");
  LQ_CHECK(o.learning_rate > 0 && std::isfinite(o.learning_rate) && o.min_rate >= 0 && o.min_rate <= o.learning_rate,
           Code::invalid_argument, "training: learning_rate ", o.learning_rate, ", min_rate ", o.min_rate);
  LQ_CHECK(o.batch && o.accumulate && (o.steps || o.epochs), Code::invalid_argument, "training: batch ", o.batch,
           ", accumulate ", o.accumulate, ", steps ", o.steps, ", epochs ", o.epochs);
  LQ_CHECK(!(o.carry && o.shuffle), Code::invalid_argument, "training: carry needs the data's order: no shuffle");
}

}  // namespace

// Which examples make up which batch. With carry, `streams` of equal length run side by side.
struct Trainer::Plan {
  std::size_t examples, batch, per_update, updates, micro;  // micro: batches in an epoch, with carry
  std::uint64_t seed;
  bool shuffle, carry;

  Plan(const TrainOptions& o, std::size_t n, bool training)
      : examples(n), batch(o.batch), seed(o.seed), shuffle(training && o.shuffle), carry(o.carry) {
    LQ_CHECK(n > 0, Code::invalid_argument, "training: an empty dataset");
    const std::size_t accumulate = training ? o.accumulate : 1;
    if (carry) batch = std::min(batch, n);
    micro = carry ? n / batch : (n + batch - 1) / batch;
    per_update = accumulate;
    updates = (micro + accumulate - 1) / accumulate;
  }
  std::size_t batches_of(std::size_t update) const { return std::min(per_update, micro - update * per_update); }
  // The examples of batch m of an epoch.
  std::size_t size(std::size_t m) const { return carry ? batch : std::min(batch, examples - m * batch); }
  std::size_t example(std::uint64_t epoch, std::size_t m, std::size_t j) const {
    if (carry) return j * micro + m;
    const std::size_t i = m * batch + j;
    return shuffle ? permuted(i, examples, Random(seed, kOrderStream).at(epoch)) : i;
  }
};

Trainer::Trainer(nn::Trainable& network, TrainOptions options)
    : network_(network), options_(std::move(options)), optimizer_(network.parameters(), options_.optimizer) {
  check(options_);
  progress_.eval_loss = std::numeric_limits<double>::quiet_NaN();
  progress_.steps = options_.steps;
}

Trainer::~Trainer() = default;

Trainer::Tape& Trainer::tape(nn::Graph::Mode mode, std::size_t n, const Shape& x, const Shape& y) {
  const Shape xs = with_batch(n, x), ys = with_batch(n, y);
  const std::string key = str(mode == nn::Graph::Mode::train ? "t " : "e ", shape_key(xs), " ", shape_key(ys));
  const auto found = tapes_.find(key);
  if (found != tapes_.end()) return *found->second;
  auto made = std::make_unique<Tape>(network_, mode, options_, xs, ys);
  if (tapes_.size() >= kMostShapes)  // batches of ever other shapes through step()
    std::erase_if(tapes_, [&](const auto& t) { return t.second.get() != carrying_; });
  made->graph.set_cancel(&cancel_, watched_);
  return *tapes_.emplace(key, std::move(made)).first->second;
}

void Trainer::watch(const std::atomic<bool>* flag) noexcept {
  watched_ = flag;
  for (const auto& [key, t] : tapes_) t->graph.set_cancel(&cancel_, flag);
}

double Trainer::rate() const noexcept {
  const double step = static_cast<double>(progress_.step), warmup = static_cast<double>(options_.warmup);
  if (step < warmup) return options_.learning_rate * (step + 1) / warmup;
  if (options_.schedule == "constant" || !progress_.steps) return options_.learning_rate;
  const double span = std::max(1.0, static_cast<double>(progress_.steps) - 1 - warmup);
  const double done = std::min(1.0, (step - warmup) / span);
  const double left = options_.schedule == "linear" ? 1 - done : (1 + std::cos(done * 3.14159265358979323846)) / 2;
  return options_.min_rate + (options_.learning_rate - options_.min_rate) * left;
}

// How much a batch counts: its targets, without those that the loss ignores.
double Trainer::weight(const Batch& b) const noexcept {
  if (options_.loss != nn::Loss::cross_entropy) return static_cast<double>(b.y.size());
  return static_cast<double>(std::count_if(b.y.begin(), b.y.end(), [](std::uint32_t id) { return id < 0x80000000u; }));
}

void Trainer::read(const Plan& plan, const Dataset& data, std::uint64_t epoch, std::size_t m, Batch& b) const {
  b.n = plan.size(m);
  const std::size_t xs = data.x_shape().count(), ys = data.y_shape().count();
  b.x.resize(b.n * xs);
  b.y.resize(b.n * ys);
  for (std::size_t j = 0; j < b.n; ++j) data.get(plan.example(epoch, m, j), b.x.data() + j * xs, b.y.data() + j * ys);
}

// The loss of one batch. In training gradients of scale * loss are added.
double Trainer::run(Tape& t, const void* x, const void* y, float scale) {
  std::memcpy(t.x->data, x, t.x->count * sizeof(float));
  std::memcpy(t.y->data, y, t.y->count * sizeof(float));
  if (t.graph.training())
    t.graph.step(micro_steps_++, scale);
  else
    t.graph.forward();
  return static_cast<double>(*t.loss->data);
}

// One update, or none if loss or gradients are not finite.
void Trainer::apply_update(double loss) {
  const double norm = optimizer_.gradient_norm();
  progress_.loss = loss;
  progress_.rate = rate();
  progress_.gradient_norm = norm;
  ++progress_.step;
  if (std::isfinite(loss) && std::isfinite(norm)) {
    optimizer_.step(progress_.rate, norm);
    skipped_in_a_row_ = 0;
    return;
  }
  network_.parameters().zero_grad();
  ++progress_.skipped;
  LQ_CHECK(++skipped_in_a_row_ < kSkippedInARow, Code::limit, "training: loss or gradients were not finite in ",
           skipped_in_a_row_, " updates in a row, the last at step ", progress_.step);
}

// Undoes what a failed update has left behind. Dropout's numbering and carried state go back too, so that a run
// continued after cancel() equals one that was not cancelled.
template <class Fn>
void Trainer::whole(Tape* carrying, const Fn& fn) {
  const std::uint64_t micro = micro_steps_;
  const auto state = carrying ? carried_of(*carrying) : std::vector<std::uint32_t>();
  try {
    fn();
  } catch (...) {
    micro_steps_ = micro;
    network_.parameters().zero_grad();
    if (carrying) set_carried(*carrying, state);
    throw;
  }
}

void Trainer::update(const Plan& plan, const Dataset& data) {
  const std::size_t epoch = progress_.step / plan.updates, within = progress_.step % plan.updates;
  batches_.resize(plan.batches_of(within));
  double total = 0;
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    read(plan, data, epoch, within * plan.per_update + i, batches_[i]);
    total += weight(batches_[i]);
  }
  const auto get = [&](const Batch& b) -> Tape& {
    return tape(nn::Graph::Mode::train, b.n, data.x_shape(), data.y_shape());
  };
  carrying_ = plan.carry ? &get(batches_[0]) : nullptr;  // all batches have one size then
  if (carrying_ && !carried_.empty()) set_carried(*carrying_, std::exchange(carried_, {}));
  if (carrying_ && within == 0) carrying_->graph.reset_state();
  double loss = 0;
  whole(carrying_, [&] {
    for (const Batch& b : batches_) {
      const double share = total > 0 ? weight(b) / total : 0;
      loss += share * run(get(b), b.x.data(), b.y.data(), static_cast<float>(share));
    }
  });
  apply_update(loss);
  progress_.epoch = epoch;
}

double Trainer::step(std::size_t n, const void* x, Shape x_shape, const void* y, Shape y_shape) {
  LQ_CHECK(n > 0, Code::invalid_argument, "training: an empty batch");
  Tape& t = tape(nn::Graph::Mode::train, n, x_shape, y_shape);
  carrying_ = options_.carry ? &t : nullptr;
  if (carrying_ && !carried_.empty()) set_carried(t, std::exchange(carried_, {}));
  double loss = 0;
  end_cancelled([&] { whole(carrying_, [&] { loss = run(t, x, y, 1.0f); }); });
  apply_update(loss);
  return loss;
}

double Trainer::evaluate(const Dataset& data) {
  const Plan plan(options_, data.size(), false);
  double sum = 0, total = 0;
  if (options_.carry) tape(nn::Graph::Mode::infer, plan.batch, data.x_shape(), data.y_shape()).graph.reset_state();
  end_cancelled([&] {
    Batch b;
    for (std::size_t m = 0; m < plan.micro; ++m) {
      read(plan, data, 0, m, b);
      Tape& t = tape(nn::Graph::Mode::infer, b.n, data.x_shape(), data.y_shape());
      const double w = weight(b);
      sum += w * run(t, b.x.data(), b.y.data(), 1.0f);
      total += w;
    }
  });
  return total > 0 ? sum / total : 0;
}

template <class Fn>
void Trainer::end_cancelled(const Fn& fn) {
  try {
    fn();
  } catch (const Error& e) {
    if (e.code() == Code::cancelled) cancel_.store(false, std::memory_order_relaxed);
    throw;
  }
}

// Whether training goes on.
bool Trainer::evaluate_now(const Plan& plan, const Dataset& eval) {
  const std::size_t every = options_.eval_every ? options_.eval_every : plan.updates;
  if (progress_.step % every && progress_.step != progress_.steps) return true;
  progress_.eval_loss = evaluate(eval);
  if (!options_.patience) return true;
  if (best_values_.empty() || progress_.eval_loss < best_) {
    best_ = progress_.eval_loss;
    without_better_ = 0;
    keep_best();
    return true;
  }
  return ++without_better_ < options_.patience;
}

void Trainer::keep_best() {
  best_values_.resize(network_.parameters().count());
  float* at = best_values_.data();
  for (const auto& p : network_.parameters().all()) at = std::copy_n(p->value, p->count, at);
}

void Trainer::restore_best() {
  const float* at = best_values_.data();
  if (best_values_.empty()) return;
  for (const auto& p : network_.parameters().all()) {
    std::copy_n(at, p->count, p->value);
    at += p->count;
  }
}

TrainProgress Trainer::fit(const Dataset& train, const Dataset* eval, const ProgressFn& progress) {
  using Clock = std::chrono::steady_clock;
  const Plan plan(options_, train.size(), true);
  LQ_CHECK(!options_.patience || eval, Code::invalid_argument, "training: patience needs something to evaluate on");
  const std::string& file = options_.checkpoint;
  if (!progress_.step && !file.empty() && std::filesystem::exists(file)) load_checkpoint(file);
  LQ_CHECK(!data_size_ || data_size_ == train.size(), Code::mismatch, "training: the run began with ", data_size_,
           " examples, now there are ", train.size());
  data_size_ = train.size();
  progress_.steps = options_.steps ? options_.steps : options_.epochs * plan.updates;
  const auto start = Clock::now();
  double done = 0;
  std::size_t saved = progress_.step;
  bool stop = false;
  while (!stopped_ && !stop && progress_.step < progress_.steps) {
    end_cancelled([&] { update(plan, train); });
    for (const Batch& b : batches_) done += static_cast<double>(b.n);
    if (eval) stopped_ = !evaluate_now(plan, *eval);
    const std::chrono::duration<double> seconds = Clock::now() - start;
    progress_.examples_per_s = done / std::max(seconds.count(), 1e-9);
    if (!file.empty() && options_.checkpoint_every && progress_.step % options_.checkpoint_every == 0) {
      save_checkpoint(file);
      saved = progress_.step;
    }
    stop = progress && !progress(progress_);
  }
  if (!file.empty() && saved != progress_.step) save_checkpoint(file);
  if (options_.patience && !stop) restore_best();
  return progress_;
}

}  // namespace lq
