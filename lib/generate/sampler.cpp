#include "loquor/generate/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "candidates.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/registry.hpp"
#include "loquor/core/status.hpp"
#include "loquor/kernels/dispatch.hpp"

namespace lq {
namespace {

struct Row {
  std::string_view name;
  std::size_t fewest, most;
  void (*check)(std::span<const double>);
  void (*apply)(Candidates&, const StageContext&);
};

constexpr Row kRows[] = {
#define LQ_SAMPLER(name, fewest, most) {#name, fewest, most, samplers::check_##name, samplers::apply_##name},
#include "loquor/generate/samplers.def"
#undef LQ_SAMPLER
};

struct Stage {
  const Row* row;  // nullptr: host
  std::vector<double> values;
  SamplerStage host;
};

constexpr std::size_t kMaxStages = 256;

void run_host(const SamplerStage& stage, Candidates& candidates, std::span<const std::int32_t> history) {
  candidates.sort();
  std::vector<Candidate>& list = candidates.list();
  const std::size_t n = list.size();
  const std::size_t kept = stage(list, history);
  LQ_CHECK(kept >= 1 && kept <= n, Code::invalid_argument, "sampler: a stage kept ", kept, " of ", n, " candidates");
  list.resize(kept);
  for (Candidate& c : list) {
    LQ_CHECK(c.logit == c.logit, Code::invalid_argument, "sampler: a stage made the logit of token ", c.token, " NaN");
    c.logit = std::min(c.logit, std::numeric_limits<float>::max());
  }
  candidates.set_unsorted();
  LQ_CHECK(candidates.max() > -std::numeric_limits<float>::infinity(), Code::invalid_argument,
           "sampler: a stage forbade all of its ", n, " candidates");
}

}  // namespace

struct Sampler::Impl {
  std::vector<Stage> stages;
  std::vector<std::pair<std::int32_t, float>> bias;  // by token
  std::uint64_t seed = 0;
  Candidates work{select_kernels()};

  Impl() = default;
  Impl(const Impl& other) : stages(other.stages), bias(other.bias), seed(other.seed) {}
};

Sampler::Sampler() : impl_(std::make_unique<Impl>()) {}
Sampler::Sampler(const Sampler& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
Sampler::Sampler(Sampler&& other) noexcept = default;
Sampler& Sampler::operator=(Sampler other) noexcept {
  impl_.swap(other.impl_);
  return *this;
}
Sampler::~Sampler() = default;

std::string Sampler::names() {
  std::string out;
  for (const Row& row : kRows) (out += out.empty() ? "" : ",") += row.name;
  return out;
}

void Sampler::add(std::string_view name, std::span<const double> values) {
  const Row* row = find_row(std::span<const Row>(kRows), name);
  LQ_CHECK(row, Code::not_found, "sampler: there is no stage '", name, "'; known are ",
           row_names(std::span<const Row>(kRows)));
  LQ_CHECK(impl_->stages.size() < kMaxStages, Code::limit, "sampler: more than ", kMaxStages, " stages");
  LQ_CHECK(values.size() >= row->fewest && values.size() <= row->most, Code::invalid_argument, "sampler: ", name,
           " takes ", row->fewest, " to ", row->most, " values, not ", values.size());
  for (double v : values) LQ_CHECK(v == v, Code::invalid_argument, "sampler: a value of ", name, " is NaN");
  row->check(values);
  impl_->stages.push_back({row, {values.begin(), values.end()}, {}});
}

void Sampler::add(SamplerStage stage) {
  LQ_CHECK(static_cast<bool>(stage), Code::invalid_argument, "sampler: the stage is empty");
  LQ_CHECK(impl_->stages.size() < kMaxStages, Code::limit, "sampler: more than ", kMaxStages, " stages");
  impl_->stages.push_back({nullptr, {}, std::move(stage)});
}

void Sampler::set_bias(std::int32_t token, float bias) {
  LQ_CHECK(token >= 0, Code::invalid_argument, "sampler: bias for token ", token);
  LQ_CHECK(bias == bias, Code::invalid_argument, "sampler: the bias of token ", token, " is NaN");
  auto& all = impl_->bias;
  const auto at =
      std::lower_bound(all.begin(), all.end(), token, [](const auto& b, std::int32_t t) { return b.first < t; });
  const bool present = at != all.end() && at->first == token;
  if (bias == 0.0f) {
    if (present) all.erase(at);
  } else if (present) {
    at->second = bias;
  } else {
    all.insert(at, {token, bias});
  }
}

void Sampler::set_seed(std::uint64_t seed) noexcept { impl_->seed = seed; }

bool Sampler::greedy() const noexcept {
  const auto& stages = impl_->stages;
  return impl_->bias.empty() &&
         (stages.empty() || (stages.size() == 1 && stages[0].row && stages[0].row->name == "greedy"));
}

void Sampler::check_vocab(std::size_t n_vocab) const {
  if (impl_->bias.empty()) return;
  const std::int32_t last = impl_->bias.back().first;
  LQ_CHECK(static_cast<std::size_t>(last) < n_vocab, Code::invalid_argument, "sampler: bias for token ", last,
           ", the vocabulary has ", n_vocab);
}

std::int32_t Sampler::sample(const LogitsRow& logits, std::span<const std::int32_t> history, std::uint64_t position) {
  check_vocab(logits.values.size());
  Candidates& work = impl_->work;
  work.assign(logits);
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  for (const auto& [token, value] : impl_->bias) {
    work.change(token, [bias = value](float logit) {
      return logit == kNone ? logit : std::min(logit + bias, std::numeric_limits<float>::max());
    });
  }
  LQ_CHECK(impl_->bias.empty() || work.max() > kNone, Code::invalid_argument, "sampler: the bias forbids every token");
  if (impl_->stages.empty()) return work.best();
  for (const Stage& stage : impl_->stages) {
    if (stage.row)
      stage.row->apply(work, {stage.values, history});
    else
      run_host(stage.host, work, history);
  }
  if (work.size() == 1) return work.best();
  return work.draw(static_cast<double>(Random(impl_->seed).at(position) >> 11) * 0x1p-53);
}

}  // namespace lq
