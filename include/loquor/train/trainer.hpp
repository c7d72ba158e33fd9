// Training a network on a dataset: batches in a shuffled order, accumulation, clipping, schedules, evaluation, early
// stopping, checkpoints. A run is a function of (network, data, options, seed): threads do not change a bit of it, and
// a run resumed from a checkpoint equals one that was never interrupted.
//
// Thread contract: one caller at a time; cancel() from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "loquor/nn/network.hpp"
#include "loquor/train/dataset.hpp"
#include "loquor/train/optimizer.hpp"

namespace lq {

struct TrainOptions {
  OptimizerOptions optimizer;
  nn::Loss loss = nn::Loss::cross_entropy;
  double learning_rate = 1e-3;
  std::string schedule = "constant";  // or "linear" or "cosine": falls to min_rate at the last step
  double min_rate = 0.0;
  std::size_t warmup = 0;      // steps in which the rate rises from 0
  std::size_t batch = 32;      // examples at once
  std::size_t accumulate = 1;  // batches for one update, which equals one by a batch so many times as large
  std::size_t steps = 0;       // updates in all; 0 = as many as `epochs` take
  std::size_t epochs = 1;
  bool shuffle = true;
  // Recurrent state runs on from batch to batch: the dataset, in order, is cut into `batch` streams. Not with shuffle.
  bool carry = false;
  std::uint64_t seed = 0;            // of the order and of dropout
  std::size_t eval_every = 0;        // updates; 0 = after every epoch, if there is something to evaluate on
  std::size_t patience = 0;          // evaluations without a better one after which training stops; 0 = never
  std::string checkpoint;            // file; if it exists, fit() resumes from it
  std::size_t checkpoint_every = 0;  // updates; 0 = only at the end
};

struct TrainProgress {
  std::size_t step = 0, steps = 0;  // updates done, in all
  std::size_t epoch = 0;            // from 0
  double loss = 0;                  // of this update's examples
  double rate = 0, gradient_norm = 0;
  double eval_loss = 0;       // the latest; NaN before the first
  std::size_t skipped = 0;    // updates left out because loss or gradients were not finite
  double examples_per_s = 0;  // of this call of fit()
};

// Returning false ends training after this update, with a checkpoint if there is to be one.
using ProgressFn = std::function<bool(const TrainProgress&)>;

class Trainer {
 public:
  // The network must outlive the trainer. Throws Error{invalid_argument|out_of_memory}.
  Trainer(nn::Trainable& network, TrainOptions options);
  ~Trainer();

  // Trains to the end, until `progress` says so, or until evaluations no longer improve. With patience the network has
  // the parameters of the best evaluation after it, unless `progress` ended it. Called again it goes on. Throws
  // Error{invalid_argument} for data that does not fit the network, Error{cancelled} after cancel() (parameters are
  // those of the last whole update), Error{limit} after ten skipped updates in a row, Error{mismatch} for a checkpoint
  // of another network or other options.
  TrainProgress fit(const Dataset& train, const Dataset* eval = nullptr, const ProgressFn& progress = {});

  // One update by n examples; x and y as in Dataset. Returns the loss.
  double step(std::size_t n, const void* x, Shape x_shape, const void* y, Shape y_shape);

  // The mean loss over a dataset.
  double evaluate(const Dataset& data);

  // Ends the running or next fit(), step() or evaluate() within one operator.
  void cancel() noexcept { cancel_.store(true, std::memory_order_relaxed); }
  // A flag of the caller's that does the same while it holds; nullptr: none. Not while the trainer runs.
  void watch(const std::atomic<bool>* flag) noexcept;

  // All that the rest of the run depends on; also a file of the network (train/state_dict.hpp). It appears complete or
  // not at all, so a run killed while it saves has the checkpoint before.
  void save_checkpoint(const std::string& path) const;
  void load_checkpoint(const std::string& path);

 private:
  struct Tape;
  struct Plan;
  struct Batch {
    std::size_t n = 0;
    std::vector<std::uint32_t> x, y;  // 4-byte words
  };
  Tape& tape(nn::Graph::Mode mode, std::size_t n, const Shape& x, const Shape& y);
  void read(const Plan& plan, const Dataset& data, std::uint64_t epoch, std::size_t m, Batch& b) const;
  double weight(const Batch& b) const noexcept;
  double run(Tape& t, const void* x, const void* y, float scale);
  void update(const Plan& plan, const Dataset& data);
  void apply_update(double loss);
  template <class Fn>
  void whole(Tape* carrying, const Fn& fn);
  template <class Fn>
  void end_cancelled(const Fn& fn);
  double rate() const noexcept;
  bool evaluate_now(const Plan& plan, const Dataset& eval);
  void keep_best();
  void restore_best();
  static std::vector<std::uint32_t> carried_of(const Tape& t);
  static void set_carried(Tape& t, const std::vector<std::uint32_t>& state);
  std::string fingerprint() const;

  nn::Trainable& network_;
  TrainOptions options_;
  Optimizer optimizer_;
  std::map<std::string, std::unique_ptr<Tape>> tapes_;
  std::vector<Batch> batches_;  // of one update
  Tape* carrying_ = nullptr;    // the tape that holds the recurrent state
  TrainProgress progress_;
  std::size_t skipped_in_a_row_ = 0, without_better_ = 0;
  std::uint64_t micro_steps_ = 0;  // numbers dropout's masks
  std::size_t data_size_ = 0;      // of fit()'s dataset; 0 before the first
  double best_ = 0;
  bool stopped_ = false;
  std::vector<float> best_values_;
  std::vector<std::uint32_t> carried_;  // state of a checkpoint, for the next batch
  std::atomic<bool> cancel_{false};
  const std::atomic<bool>* watched_ = nullptr;
};

// Runs a network forwards; compiled once for each shape. With `carry`, recurrent state runs on from call to call.
class Predictor {
 public:
  explicit Predictor(const nn::Network& network, bool carry = false);
  ~Predictor();
  struct Output {
    const float* data;  // valid until the next call
    Shape shape;
  };
  // x: numbers, or ids if network.takes_ids(). Throws Error{invalid_argument|out_of_memory}.
  Output run(const void* x, const Shape& shape);
  void reset();

 private:
  struct Tape;
  const nn::Network& network_;
  bool carry_;
  std::map<std::string, std::unique_ptr<Tape>> tapes_;
};

}  // namespace lq
