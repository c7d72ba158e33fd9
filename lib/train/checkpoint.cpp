// Checkpoints: a safetensors file with the parameters under their own names, so that it is also a file of the network,
// and everything else under "loquor/": moments, the best parameters, recurrent state. Counters are in the metadata.
#include <bit>
#include <charconv>
#include <cstring>

#include "loquor/formats/safetensors.hpp"
#include "loquor/train/state_dict.hpp"
#include "loquor/train/trainer.hpp"
#include "tape.hpp"

namespace lq {
namespace {

constexpr const char* kRun = "loquor.run";
constexpr const char* kState = "loquor.state";

const SafetensorsTensor& tensor(const SafetensorsFile& file, const std::string& name, std::size_t count) {
  const SafetensorsTensor* t = file.find_tensor(name);
  LQ_CHECK(t && t->type == DType::F32 && t->shape.count() == count, Code::bad_file, "checkpoint: ", file.name(),
           " has no tensor '", name, "' of ", count, " values");
  return *t;
}

std::vector<std::uint64_t> numbers(const std::string& text) {
  std::vector<std::uint64_t> out;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    std::uint64_t v = 0;
    const auto [next, error] = std::from_chars(at, end, v);
    LQ_CHECK(error == std::errc(), Code::bad_file, "checkpoint: state '", text, "'");
    out.push_back(v);
    at = next < end ? next + 1 : end;
  }
  return out;
}

}  // namespace

// What a resumed run must have in common with the one before. How long it runs may change.
std::string Trainer::fingerprint() const {
  const TrainOptions& o = options_;
  const auto bits = [](double v) { return std::bit_cast<std::uint64_t>(v); };
  return str(network_.description(), "; ", o.optimizer.name, " ", bits(o.optimizer.beta1), " ", bits(o.optimizer.beta2),
             " ", bits(o.optimizer.eps), " ", bits(o.optimizer.momentum), " ", o.optimizer.nesterov, " ",
             bits(o.optimizer.weight_decay), " ", bits(o.optimizer.clip), "; ", static_cast<int>(o.loss), " ",
             bits(o.learning_rate), " ", o.schedule, " ", bits(o.min_rate), " ", o.warmup, " ", o.batch, " ",
             o.accumulate, " ", o.shuffle, " ", o.carry, " ", o.seed);
}

std::vector<std::uint32_t> Trainer::carried_of(const Tape& t) {
  std::vector<std::uint32_t> out;
  for (const auto& [from, to] : t.graph.carried()) {
    out.resize(out.size() + to->count);
    std::memcpy(out.data() + out.size() - to->count, to->data, to->count * sizeof(float));
  }
  return out;
}

void Trainer::set_carried(Tape& t, const std::vector<std::uint32_t>& state) {
  std::size_t at = 0;
  for (const auto& [from, to] : t.graph.carried()) at += to->count;
  LQ_CHECK(at == state.size(), Code::mismatch, "training: carried state of ", state.size(), " values, not ", at);
  at = 0;
  for (const auto& [from, to] : t.graph.carried()) {
    std::memcpy(to->data, state.data() + at, to->count * sizeof(float));
    at += to->count;
  }
}

void Trainer::save_checkpoint(const std::string& path) const {
  const auto carried = carrying_ ? carried_of(*carrying_) : carried_;
  const auto bits = [](double v) { return std::bit_cast<std::uint64_t>(v); };
  SafetensorsWriter w;
  w.add_metadata("format", "pt");
  w.add_metadata("loquor.network", network_.description());
  w.add_metadata(kRun, fingerprint());
  w.add_metadata(
      kState, str(progress_.step, " ", progress_.epoch, " ", bits(progress_.loss), " ", bits(progress_.eval_loss), " ",
                  progress_.skipped, " ", skipped_in_a_row_, " ", without_better_, " ", micro_steps_, " ", bits(best_),
                  " ", stopped_, " ", data_size_, " ", optimizer_.steps()));
  for (const auto& p : network_.parameters().all()) w.add_tensor(p->name, DType::F32, p->shape);
  for (const auto& m : optimizer_.moments()) w.add_tensor("loquor/" + m.name, DType::F32, {m.count});
  if (!best_values_.empty()) w.add_tensor("loquor/best", DType::F32, {best_values_.size()});
  if (!carried.empty()) w.add_tensor("loquor/carried", DType::F32, {carried.size()});
  w.begin(path);
  for (const auto& p : network_.parameters().all()) w.write(p->value, p->count * sizeof(float));
  for (const auto& m : optimizer_.moments()) w.write(m.data, m.count * sizeof(float));
  if (!best_values_.empty()) w.write(best_values_.data(), best_values_.size() * sizeof(float));
  if (!carried.empty()) w.write(carried.data(), carried.size() * sizeof(float));
  w.commit();
}

void Trainer::load_checkpoint(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path, SafetensorsFile::Mode::read);
  const std::string *run = file.find(kRun), *state = file.find(kState);
  LQ_CHECK(run && state, Code::bad_file, "checkpoint: ", path, " holds no state of a training");
  LQ_CHECK(*run == fingerprint(), Code::mismatch, "checkpoint: ", path,
           " belongs to another network or to other options: '", *run, "', not '", fingerprint(), "'");
  const auto n = numbers(*state);
  LQ_CHECK(n.size() == 12, Code::bad_file, "checkpoint: state '", *state, "'");
  // Everything is looked up before anything is changed.
  for (const auto& p : network_.parameters().all()) tensor(file, p->name, p->count);
  for (const auto& m : optimizer_.moments()) tensor(file, "loquor/" + m.name, m.count);
  const SafetensorsTensor* best = file.find_tensor("loquor/best");
  if (best) tensor(file, "loquor/best", network_.parameters().count());
  const SafetensorsTensor* carried = file.find_tensor("loquor/carried");

  for (const auto& p : network_.parameters().all()) read_floats(tensor(file, p->name, p->count), p->value);
  for (const auto& m : optimizer_.moments()) read_floats(tensor(file, "loquor/" + m.name, m.count), m.data);
  best_values_.resize(best ? best->shape.count() : 0);
  if (best) read_floats(*best, best_values_.data());
  carried_.resize(carried ? carried->nbytes / 4 : 0);
  if (carried) std::memcpy(carried_.data(), carried->data, carried_.size() * 4);
  network_.parameters().zero_grad();
  carrying_ = nullptr;
  progress_.step = n[0];
  progress_.epoch = n[1];
  progress_.loss = std::bit_cast<double>(n[2]);
  progress_.eval_loss = std::bit_cast<double>(n[3]);
  progress_.skipped = n[4];
  skipped_in_a_row_ = n[5];
  without_better_ = n[6];
  micro_steps_ = n[7];
  best_ = std::bit_cast<double>(n[8]);
  stopped_ = n[9] != 0;
  data_size_ = n[10];
  optimizer_.set_steps(n[11]);
}

}  // namespace lq
