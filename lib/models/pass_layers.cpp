// The units of a pass that make up a layer, and the ends of the model.
#include <algorithm>
#include <cmath>

#include "pass_impl.hpp"

namespace lq {

void Decoder::Pass::Impl::embed() {
  const KernelTable& k = ctx.kernels();
  ctx.pool().parallel_for(ids.size(), 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r) {
      float* row = x + r * spec.d_model;
      weights.embedding.row(ctx, static_cast<std::size_t>(ids[r]), row);
      if (spec.embedding_scale != 1) k.axpby(spec.embedding_scale, row, 0.0f, row, spec.d_model);
      if (weights.positions) k.axpby(1.0f, weights.positions + positions[r] * spec.d_model, 1.0f, row, spec.d_model);
    }
  });
  rope_tables();
  make_items(false);
}

const RopeTable& Decoder::Pass::Impl::rope_table(int which) const noexcept {
  const bool longer = spec.rope.scaling == RopeScaling::longrope && max_context > spec.rope.original;
  return which == 0 && longer ? weights.long_rope : weights.ropes[which];
}

// Angles in double: at position 8,192 a float product would already be off by 5e-4 radians.
void Decoder::Pass::Impl::rope_tables() {
  const std::size_t half = spec.rope_dim / 2;
  for (const int which : {0, 1}) {
    if (std::none_of(spec.layers.begin(), spec.layers.end(), [&](const LayerSpec& l) { return l.rope == which; }))
      continue;
    const RopeTable& table = rope_table(which);
    ctx.pool().parallel_for(ids.size(), 16, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t r = begin; r < end; ++r)
        for (std::size_t i = 0; i < half; ++i) {
          const double angle = static_cast<double>(positions[r]) * table.inverse[i];
          cos[which][r * half + i] = static_cast<float>(std::cos(angle)) * table.scale;
          sin[which][r * half + i] = static_cast<float>(std::sin(angle)) * table.scale;
        }
    });
  }
}

// `next`: what will be multiplied by after it; nullptr: the head.
void Decoder::Pass::Impl::run_linear(const Linear& linear, TensorView<float> y, Store store, const Linear* next) {
  std::size_t column = 0;
  for (const PackedMatrix& part : linear.parts) {
    const PackedMatrix* after = next && !next->parts.empty() ? next->parts.data() : nullptr;
    if (&part != &linear.parts.back()) after = &part + 1;
    matmul_panels(ctx, part, act, view(y.data + column, y.rows, part.rows(), y.stride), 0, part.panels(), store,
                  linear.bias ? linear.bias + column : nullptr,
                  after ? after->upcoming(0, after->panels()) : head_slice(0));
    column += part.rows();
    touched += static_cast<double>(part.nbytes());
  }
}

// act := the norm of the residual stream, or the stream itself where there is none.
void Decoder::Pass::Impl::apply_norm(const NormWeights& w) {
  if (!w.weight) return set_activations(ctx, const_stream(), act);
  if (spec.norm == NormKind::rms) return rms_norm(ctx, const_stream(), w.weight, spec.norm_eps, act);
  layer_norm(ctx, const_stream(), w.weight, w.bias, spec.norm_eps, view(temp, n_hidden, spec.d_model, spec.d_model));
  set_activations(ctx, cview(temp, n_hidden, spec.d_model, spec.d_model), act);
}

void Decoder::Pass::Impl::norm(const NormWeights& w) {
  as(PassPart::norm, [&] { apply_norm(w); });
}

// What the head's slice from panel `begin` on will read; after the last one, the next token's first layer.
Upcoming Decoder::Pass::Impl::head_slice(std::size_t begin) const noexcept {
  const PackedMatrix& head = weights.head_matrix();
  if (begin < head.panels()) return head.upcoming(begin, std::min(head.panels(), begin + slice));
  const PackedMatrix& first = weights.layers.front().qkv.parts.front();
  return first.upcoming(0, first.panels());
}

// Rows of so many heads within qkv.
void Decoder::Pass::Impl::rotate(float* heads_at, std::size_t heads) {
  const int which = spec.layers[layer].rope;
  if (which < 0 || spec.rope_dim == 0) return;
  rope(ctx, view(heads_at, n_hidden, heads * spec.head_dim, qkv_cols()), heads, spec.head_dim, spec.rope_dim,
       cos[which], sin[which], spec.rope_style);
}

void Decoder::Pass::Impl::run_qkv() {
  const LayerWeights& w = weights.layers[layer];
  const std::size_t stride = qkv_cols();
  norm(w.attn_norm);
  as(PassPart::qkv, [&] {
    run_linear(w.qkv, view(qkv, n_hidden, stride, stride), Store::assign, &w.o);
    adapt(&Adapter::Layer::qkv, view(qkv, n_hidden, stride, stride));
  });
  as(PassPart::rotary, [&] { place_heads(w); });
  float* const k = qkv + q_cols();
  float* const v = k + kv_cols();
  as(PassPart::kv_store, [&] {
    for (const Segment& s : segments)
      kv_store(ctx, layout, layer, s.seq->pages(), s.first_pos,
               cview(k + s.first_row * stride, s.rows, kv_cols(), stride),
               cview(v + s.first_row * stride, s.rows, kv_cols(), stride));
  });
}

// Norms and rotates queries and keys.
void Decoder::Pass::Impl::place_heads(const LayerWeights& w) {
  const std::size_t stride = qkv_cols();
  float* const k = qkv + q_cols();
  if (w.q_norm) {
    const bool heads = spec.qk_norm == QkNorm::heads;
    head_norm(ctx, view(qkv, n_hidden, q_cols(), stride), heads ? spec.n_head : 1, w.q_norm, spec.norm_eps);
    head_norm(ctx, view(k, n_hidden, kv_cols(), stride), heads ? spec.n_kv_head : 1, w.k_norm, spec.norm_eps);
  }
  rotate(qkv, spec.n_head);
  rotate(k, spec.n_kv_head);
}

// Adds a half's result to the stream: at once, or by way of `temp` where a norm or a scale comes between.
void Decoder::Pass::Impl::add_half(const Linear& linear, const NormWeights& post, const Linear* next,
                                   Adapter::LowRank Adapter::Layer::*which) {
  if (!post.weight && spec.residual_scale == 1) {
    run_linear(linear, stream(), Store::add, next);
    return adapt(which, stream());
  }
  const auto y = view(temp, n_hidden, spec.d_model, spec.d_model);
  const auto const_y = cview(temp, n_hidden, spec.d_model, spec.d_model);
  run_linear(linear, y, Store::assign, next);
  adapt(which, y);
  if (post.weight) rms_norm(ctx, const_y, post.weight, spec.norm_eps, y);
  add_scaled(ctx, spec.residual_scale, const_y, stream());
}

void Decoder::Pass::Impl::run_attend() {
  const LayerWeights& w = weights.layers[layer];
  const std::size_t window = spec.layers[layer].window;
  const AttentionRule rule{spec.attention_scale, spec.attention_cap, window};
  if (watch)
    watch->layer(ctx, layer,
                 {cview(qkv, n_hidden, q_cols(), qkv_cols()), cview(qkv + q_cols(), n_hidden, kv_cols(), qkv_cols()),
                  spec.n_head, spec.n_kv_head, spec.head_dim, true},
                 rule);
  as(PassPart::attention, [&] {
    attention(ctx, layout, layer, items, spec.n_head, rule, scratch);
    for (const AttentionItem& i : items) {
      const std::size_t seen = i.first_pos + i.q.rows;
      touched += static_cast<double>(layout.bytes_per_layer() / KvLayout::kPageTokens *
                                     (window ? std::min(seen, window + i.q.rows - 1) : seen));
    }
  });
  if (spec.parallel) return;  // the other half comes first: it sees the stream without this one
  attention_out(w, &w.gate_up);
}

void Decoder::Pass::Impl::attention_out(const LayerWeights& w, const Linear* next) {
  as(PassPart::attention_out, [&] {
    set_activations(ctx, cview(attn, n_hidden, q_cols(), q_cols()), act);
    add_half(w.o, w.attn_post_norm, next, &Adapter::Layer::o);
  });
}

void Decoder::Pass::Impl::run_ffn_up() {
  const LayerWeights& w = weights.layers[layer];
  norm(spec.shared_norm ? w.attn_norm : w.ffn_norm);
  if (spec.n_expert) return;
  const std::size_t cols = is_gated(spec.ffn) ? 2 * spec.d_ff : spec.d_ff;
  as(PassPart::ffn_up, [&] {
    run_linear(w.gate_up, view(ffn, n_hidden, cols, cols), Store::assign, &w.down);
    adapt(&Adapter::Layer::gate_up, view(ffn, n_hidden, cols, cols));
  });
}

// act := what the block's activation makes of `rows` rows of ffn.
void Decoder::Pass::Impl::activate(bool interleaved, std::size_t rows) {
  const std::size_t stride = is_gated(spec.ffn) ? 2 * spec.d_ff : spec.d_ff;
  if (spec.ffn != FfnKind::swiglu) return feed_forward(ctx, spec.ffn, view(ffn, rows, stride, stride), act);
  if (interleaved) return swiglu(ctx, cview(ffn, rows, stride, stride), act);
  swiglu(ctx, cview(ffn, rows, spec.d_ff, stride), cview(ffn + spec.d_ff, rows, spec.d_ff, stride), act);
}

void Decoder::Pass::Impl::run_ffn_down() {
  const LayerWeights& w = weights.layers[layer];
  if (spec.n_expert) return as(PassPart::experts, [&] { run_experts(); });
  const Linear* next = layer + 1 < spec.n_layer ? &weights.layers[layer + 1].qkv : nullptr;
  as(PassPart::activation, [&] { activate(w.gate_up.interleaved, n_hidden); });
  as(PassPart::ffn_down,
     [&] { add_half(w.down, w.ffn_post_norm, spec.parallel ? &w.o : next, &Adapter::Layer::down); });
  if (spec.parallel) attention_out(w, next);
}

void Decoder::Pass::Impl::final_norm() { apply_norm(weights.final_norm); }

// Of the columns of the head's panels [begin, end).
void Decoder::Pass::Impl::cap_logits(std::size_t begin, std::size_t end) {
  if (spec.logit_cap <= 0) return;
  const std::size_t first = begin * 16, n = std::min(end * 16, spec.n_vocab) - first;
  ctx.pool().parallel_for(n_hidden, 1, [&](std::size_t row, std::size_t last, unsigned) {
    for (; row < last; ++row) {
      float* y = logits + row * spec.n_vocab + first;
      ctx.kernels().soft_cap(y, n, spec.logit_cap, y);
    }
  });
}

}  // namespace lq
