// Mixtures of experts (Shazeer et al. 2017; Jiang et al. 2024): a router gives each expert a probability, the rows go
// through the few most probable ones, whose results are added with the probabilities as weights. A row's sum is in the
// order of the experts, whatever rows are beside it.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "pass_impl.hpp"

namespace lq {

// Scores of a row's experts become the weights of those used, and 0 for the others. Of equal ones the first is used.
void Decoder::Pass::Impl::choose_experts(float* s) const noexcept {
  const std::size_t n = spec.n_expert;
  const float top = *std::max_element(s, s + n);
  double sum = 0, used = 0;
  for (std::size_t e = 0; e < n; ++e) sum += static_cast<double>(s[e] = std::exp(s[e] - top));
  for (std::size_t i = 0; i < spec.n_expert_used; ++i) {
    float& most = *std::max_element(s, s + n);
    used += static_cast<double>(most);
    most = -most - 1;  // taken: below all that are not
  }
  const double scale = 1.0 / (spec.norm_experts ? used : sum);
  for (std::size_t e = 0; e < n; ++e)
    s[e] = s[e] < 0 ? static_cast<float>((-1.0 - static_cast<double>(s[e])) * scale) : 0.0f;
}

void Decoder::Pass::Impl::run_experts() {
  const LayerWeights& w = weights.layers[layer];
  const std::size_t width = spec.d_model, n = spec.n_expert;
  matmul(ctx, w.router, act, view(routes, n_hidden, n, n));
  touched += static_cast<double>(w.router.nbytes());
  for (std::size_t r = 0; r < n_hidden; ++r) choose_experts(routes + r * n);
  std::memcpy(temp, act.f32_, n_hidden * width * sizeof(float));  // the normed rows, which experts pick from
  float* const in = expert;
  float* const out = expert + max_rows * width;
  for (std::size_t e = 0; e < n; ++e) {
    std::size_t rows = 0;
    for (std::size_t r = 0; r < n_hidden; ++r)
      if (routes[r * n + e] > 0) std::memcpy(in + rows++ * width, temp + r * width, width * sizeof(float));
    if (!rows) continue;
    set_activations(ctx, cview(in, rows, width, width), act);
    run_linear(w.expert_gate_up[e], view(ffn, rows, 2 * spec.d_ff, 2 * spec.d_ff), Store::assign, &w.expert_down[e]);
    activate(w.expert_gate_up[e].interleaved, rows);
    run_linear(w.expert_down[e], view(out, rows, width, width), Store::assign, nullptr);
    rows = 0;
    for (std::size_t r = 0; r < n_hidden; ++r)
      if (routes[r * n + e] > 0)
        ctx.kernels().axpby(routes[r * n + e] * spec.residual_scale, out + rows++ * width, 1.0f, hidden + r * width,
                            width);
  }
}

}  // namespace lq
