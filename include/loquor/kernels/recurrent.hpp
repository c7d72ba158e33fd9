// One step of one row of recurrent networks, forward and backward. Gates are laid out as in torch: LSTM i, f, g, o; GRU
// r, z, n; H values each.
#pragma once

#include "loquor/simd/math.hpp"

namespace lq::kernels {

// gates: in, before their activations; out, after them. c := f c_prev + i g, h := o tanh(c). Hochreiter & Schmidhuber
// 1997, with the forget gate of Gers et al. 2000.
template <class A>
void lstm_cell(float* gates, const float* c_prev, std::size_t size, float* c, float* h) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t j = 0; j < size; j += 16) {
    const std::size_t n = size - j;
    const auto i = simd::sigmoid<A>(L::load_n(gates + j, n)), f = simd::sigmoid<A>(L::load_n(gates + size + j, n));
    const auto g = simd::tanh<A>(L::load_n(gates + 2 * size + j, n));
    const auto o = simd::sigmoid<A>(L::load_n(gates + 3 * size + j, n));
    const auto state = L::fma(f, L::load_n(c_prev + j, n), L::mul(i, g));
    L::store_n(gates + j, i, n);
    L::store_n(gates + size + j, f, n);
    L::store_n(gates + 2 * size + j, g, n);
    L::store_n(gates + 3 * size + j, o, n);
    L::store_n(c + j, state, n);
    L::store_n(h + j, L::mul(o, simd::tanh<A>(state)), n);
  }
}

// gates: in, the activated gates; out, the gradients before the activations. dc: in, the gradient that later steps give
// c; out, that of c_prev.
template <class A>
void lstm_cell_grad(float* gates, const float* c_prev, const float* c, const float* dh, std::size_t size,
                    float* dc) noexcept {
  using L = simd::Lanes<A>;
  const auto one = L::set1(1.0f);
  for (std::size_t j = 0; j < size; j += 16) {
    const std::size_t n = size - j;
    const auto i = L::load_n(gates + j, n), f = L::load_n(gates + size + j, n);
    const auto g = L::load_n(gates + 2 * size + j, n), o = L::load_n(gates + 3 * size + j, n);
    const auto t = simd::tanh<A>(L::load_n(c + j, n)), up = L::load_n(dh + j, n);
    const auto d = L::fma(L::mul(up, o), L::sub(one, L::mul(t, t)), L::load_n(dc + j, n));
    L::store_n(gates + j, L::mul(L::mul(d, g), L::mul(i, L::sub(one, i))), n);
    L::store_n(gates + size + j, L::mul(L::mul(d, L::load_n(c_prev + j, n)), L::mul(f, L::sub(one, f))), n);
    L::store_n(gates + 2 * size + j, L::mul(L::mul(d, i), L::sub(one, L::mul(g, g))), n);
    L::store_n(gates + 3 * size + j, L::mul(L::mul(up, t), L::mul(o, L::sub(one, o))), n);
    L::store_n(dc + j, L::mul(d, f), n);
  }
}

// x: in, the input's share of the gates; out, r, z, n. `hidden`: the state's share. n = tanh(x_n + r hidden_n),
// h := (1 - z) n + z h_prev. Cho et al. 2014, with the reset gate after the product as in torch and cuDNN.
template <class A>
void gru_cell(float* x, const float* hidden, const float* h_prev, std::size_t size, float* h) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t j = 0; j < size; j += 16) {
    const std::size_t n = size - j;
    const auto r = simd::sigmoid<A>(L::add(L::load_n(x + j, n), L::load_n(hidden + j, n)));
    const auto z = simd::sigmoid<A>(L::add(L::load_n(x + size + j, n), L::load_n(hidden + size + j, n)));
    const auto c = simd::tanh<A>(L::fma(r, L::load_n(hidden + 2 * size + j, n), L::load_n(x + 2 * size + j, n)));
    L::store_n(x + j, r, n);
    L::store_n(x + size + j, z, n);
    L::store_n(x + 2 * size + j, c, n);
    L::store_n(h + j, L::fma(z, L::sub(L::load_n(h_prev + j, n), c), c), n);
  }
}

// x: in, r, z, n; out, the gradient of the input's share. `hidden`: in, the state's share (only its n is read); out,
// its gradient. dh_prev := dh z, to which the product with the weights is to be added; dh_prev == dh is allowed.
template <class A>
void gru_cell_grad(float* x, float* hidden, const float* h_prev, const float* dh, std::size_t size,
                   float* dh_prev) noexcept {
  using L = simd::Lanes<A>;
  const auto one = L::set1(1.0f);
  for (std::size_t j = 0; j < size; j += 16) {
    const std::size_t n = size - j;
    const auto r = L::load_n(x + j, n), z = L::load_n(x + size + j, n), c = L::load_n(x + 2 * size + j, n);
    const auto up = L::load_n(dh + j, n);
    const auto dn = L::mul(L::mul(up, L::sub(one, z)), L::sub(one, L::mul(c, c)));
    const auto dz = L::mul(L::mul(up, L::sub(L::load_n(h_prev + j, n), c)), L::mul(z, L::sub(one, z)));
    const auto dr = L::mul(L::mul(dn, L::load_n(hidden + 2 * size + j, n)), L::mul(r, L::sub(one, r)));
    L::store_n(x + j, dr, n);
    L::store_n(x + size + j, dz, n);
    L::store_n(x + 2 * size + j, dn, n);
    L::store_n(hidden + j, dr, n);
    L::store_n(hidden + size + j, dz, n);
    L::store_n(hidden + 2 * size + j, L::mul(dn, r), n);
    L::store_n(dh_prev + j, L::mul(up, z), n);
  }
}

}  // namespace lq::kernels
