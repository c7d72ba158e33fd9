#include "loquor/train/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "loquor/core/config.hpp"
#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

constexpr std::size_t kPiece = 16 * 1024;   // values a thread updates at once
constexpr std::size_t kSerial = 32 * 1024;  // up to which one thread is faster

template <class Fn>
void each_piece(const Context& ctx, std::size_t pieces, std::size_t total, const Fn& fn) {
  if (total <= kSerial) {
    for (std::size_t i = 0; i < pieces; ++i) fn(i);
    return;
  }
  ctx.pool().parallel_for(pieces, 1, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t i = begin; i < end; ++i) fn(i);
  });
}

void check(const OptimizerOptions& o) {
  LQ_CHECK(o.name == "sgd" || o.name == "adam" || o.name == "adamw", Code::invalid_argument, "optimizer: no '", o.name,
           "'; there are sgd, adam, adamw");
  LQ_CHECK(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1 && o.eps > 0, Code::invalid_argument,
           "optimizer: beta1 ", o.beta1, ", beta2 ", o.beta2, ", eps ", o.eps);
  LQ_CHECK(o.momentum >= 0 && o.momentum < 1 && o.weight_decay >= 0 && std::isfinite(o.weight_decay) && o.clip >= 0,
           Code::invalid_argument, "optimizer: momentum ", o.momentum, ", weight_decay ", o.weight_decay, ", clip ",
           o.clip);
}

}  // namespace

Optimizer::Optimizer(nn::Parameters& parameters, OptimizerOptions options)
    : ctx_(&parameters.context()), options_(std::move(options)), adam_(options_.name != "sgd") {
  check(options_);
  const std::size_t moments = adam_ ? 2 : options_.momentum > 0 ? 1 : 0;
  for (const auto& p : parameters.all())
    if (p->grad) total_ += align_floats(p->count);
  storage_ = ctx_->allocate(std::max(moments * total_ * sizeof(float), kAlignment), true);
  std::memset(storage_.data(), 0, storage_.size());
  auto* at = reinterpret_cast<float*>(storage_.data());
  for (const auto& p : parameters.all()) {
    if (!p->grad) continue;
    float* m[2] = {};
    for (std::size_t i = 0; i < moments; ++i, at += align_floats(p->count)) {
      m[i] = at;
      moments_.push_back({(i ? "v/" : "m/") + p->name, at, p->count});
    }
    for (std::size_t i = 0; i < p->count; i += kPiece)
      pieces_.push_back({p->value + i, p->grad + i, m[0] ? m[0] + i : nullptr, m[1] ? m[1] + i : nullptr,
                         std::min(kPiece, p->count - i)});
  }
  squares_.resize(pieces_.size());
}

double Optimizer::gradient_norm() const {
  each_piece(*ctx_, pieces_.size(), total_,
             [&](std::size_t i) { squares_[i] = ctx_->kernels().sum_squares(pieces_[i].grad, pieces_[i].count); });
  double sum = 0;
  for (const double s : squares_) sum += s;
  return std::sqrt(sum);
}

void Optimizer::step(double rate, double norm) {
  const double scale = options_.clip > 0 && norm > options_.clip ? options_.clip / (norm + 1e-6) : 1.0;
  const bool first = steps_++ == 0;
  const KernelTable& k = ctx_->kernels();
  if (!adam_) {
    const SgdStep s{static_cast<float>(rate),
                    static_cast<float>(options_.momentum),
                    static_cast<float>(options_.weight_decay),
                    static_cast<float>(scale),
                    options_.nesterov,
                    first};
    each_piece(*ctx_, pieces_.size(), total_, [&](std::size_t i) {
      k.sgd_step(s, pieces_[i].value, pieces_[i].grad, pieces_[i].m, pieces_[i].count);
    });
    return;
  }
  const bool decoupled = options_.name == "adamw";
  const double t = static_cast<double>(steps_);
  AdamStep s{};
  s.rate = static_cast<float>(rate / (1 - std::pow(options_.beta1, t)));
  s.beta1 = static_cast<float>(options_.beta1);
  s.beta2 = static_cast<float>(options_.beta2);
  s.eps = static_cast<float>(options_.eps);
  s.root = static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, t)));
  s.shrink = decoupled ? static_cast<float>(1 - rate * options_.weight_decay) : 1.0f;
  s.decay = decoupled ? 0.0f : static_cast<float>(options_.weight_decay);
  s.scale = static_cast<float>(scale);
  each_piece(*ctx_, pieces_.size(), total_, [&](std::size_t i) {
    const Piece& p = pieces_[i];
    k.adam_step(s, p.value, p.grad, p.m, p.v, p.count);
  });
}

}  // namespace lq
