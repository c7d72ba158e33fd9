// Splitting attention over threads. Work is cut by KV head and by blocks of query tokens; single tokens with a long
// past are also cut by key chunks, whose partial results are merged in the same order and by the same operations as
// when one thread does them all. So the split never shows in the result.
#include <cstring>

#include "loquor/kernels/table.hpp"
#include "loquor/nn/ops.hpp"

namespace lq {
namespace {

constexpr std::size_t kTokenBlock = 8;     // query tokens of one piece of work
constexpr std::size_t kMaxGroupRows = 64;  // query rows given to the kernel at once
constexpr std::size_t kMaxSplit = 64;      // single-token items x KV heads that are split by chunks

struct Geometry {
  const KvLayout& layout;
  std::size_t layer, group;  // query heads per KV head
  const AttentionRule& rule;

  // The first key that a row at `pos` sees.
  std::size_t begin(std::size_t pos) const noexcept {
    return rule.window && pos >= rule.window ? pos + 1 - rule.window : 0;
  }

  AttentionArgs args(const AttentionItem& item, std::size_t kv_head) const noexcept {
    const std::size_t head = layout.bytes_per_head();
    return {layout.type,  layout.head_dim, head / 2, item.pages, layer * layout.bytes_per_layer() + kv_head * head,
            rule.scale,   nullptr,         nullptr,  0,          nullptr,
            rule.soft_cap};
  }
};

void finish_row(std::size_t hd, const float* o, float l, float* out) noexcept {
  for (std::size_t i = 0; i < hd; ++i) out[i] = o[i] / l;
}

// Tokens [begin, end) of an item against one KV head, all chunks in order.
void attend_block(const KernelTable& k, const Geometry& g, const AttentionItem& item, std::size_t kv_head,
                  std::size_t begin, std::size_t end) {
  const std::size_t hd = g.layout.head_dim;
  alignas(64) float o[kMaxGroupRows * kMaxHeadDim / 4];
  float m[kMaxGroupRows], l[kMaxGroupRows];
  const float* q[kMaxGroupRows];
  std::size_t last[kMaxGroupRows], begins[kMaxGroupRows];
  const std::size_t most =
      sizeof o / sizeof(float) / hd < kMaxGroupRows ? sizeof o / sizeof(float) / hd : kMaxGroupRows;
  const std::size_t total = (end - begin) * g.group;
  for (std::size_t first = 0; first < total; first += most) {
    const std::size_t rows = total - first < most ? total - first : most;
    const auto token = [&](std::size_t r) { return begin + (first + r) / g.group; };
    const auto column = [&](std::size_t r) { return (kv_head * g.group + (first + r) % g.group) * hd; };
    std::size_t reach = 0, start = static_cast<std::size_t>(-1);
    for (std::size_t r = 0; r < rows; ++r) {
      q[r] = item.q.row(token(r)) + column(r);
      last[r] = item.keys ? item.keys - 1 : item.first_pos + token(r);
      reach = last[r] > reach ? last[r] : reach;
      begins[r] = g.begin(last[r]);
      start = begins[r] < start ? begins[r] : start;
    }
    AttentionArgs args = g.args(item, kv_head);
    args.q = q;
    args.last = last;
    args.rows = rows;
    if (g.rule.window) args.begin = begins;
    k.attend(args, start / kAttentionChunk, reach / kAttentionChunk + 1, {m, l, o});
    for (std::size_t r = 0; r < rows; ++r) finish_row(hd, o + r * hd, l[r], item.out.row(token(r)) + column(r));
  }
}

// Partial results of one (item, query head, chunk) in scratch: m, l, o[hd].
std::size_t partial_floats(std::size_t hd) noexcept { return hd + 2; }

void attend_partial(const KernelTable& k, const Geometry& g, const AttentionItem& item, std::size_t kv_head,
                    std::size_t chunk, std::size_t chunks, float* partials) {
  const std::size_t hd = g.layout.head_dim, step = partial_floats(hd);
  const std::size_t last = item.first_pos;
  AttentionArgs args = g.args(item, kv_head);
  alignas(64) float o[16 * kMaxHeadDim];
  float m[16], l[16];
  const float* q[16];
  std::size_t lasts[16], begins[16];
  for (std::size_t first = 0; first < g.group; first += 16) {
    const std::size_t rows = g.group - first < 16 ? g.group - first : 16;
    for (std::size_t r = 0; r < rows; ++r) {
      q[r] = item.q.row(0) + (kv_head * g.group + first + r) * hd;
      lasts[r] = last;
      begins[r] = g.begin(last);
    }
    args.q = q;
    args.last = lasts;
    args.rows = rows;
    if (g.rule.window) args.begin = begins;
    k.attend(args, chunk, chunk + 1, {m, l, o});
    for (std::size_t r = 0; r < rows; ++r) {
      float* out = partials + ((kv_head * g.group + first + r) * chunks + chunk) * step;
      out[0] = m[r];
      out[1] = l[r];
      std::memcpy(out + 2, o + r * hd, hd * sizeof(float));
    }
  }
}

void merge_partials(const KernelTable& k, std::size_t hd, std::size_t first, std::size_t chunks, const float* partials,
                    float* out) noexcept {
  const std::size_t step = partial_floats(hd);
  alignas(64) float o[kMaxHeadDim];
  float m = 0, l = 0;
  for (std::size_t c = first; c < chunks; ++c)
    k.attention_merge(hd, c == first, partials[c * step], partials[c * step + 1], partials + c * step + 2, &m, &l, o);
  finish_row(hd, o, l, out);
}

void attend_split(const Context& ctx, const Geometry& g, const AttentionItem& item, float* partials) {
  const KernelTable& k = ctx.kernels();
  const std::size_t chunks = item.first_pos / kAttentionChunk + 1, hd = g.layout.head_dim, kv = g.layout.n_kv_head;
  const std::size_t first = g.begin(item.first_pos) / kAttentionChunk, seen = chunks - first;
  ctx.pool().parallel_for(kv * seen, 1, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t i = begin; i < end; ++i) attend_partial(k, g, item, i / seen, first + i % seen, chunks, partials);
  });
  for (std::size_t h = 0; h < kv * g.group; ++h)
    merge_partials(k, hd, first, chunks, partials + h * chunks * partial_floats(hd), item.out.row(0) + h * hd);
}

}  // namespace

std::size_t attention_scratch_bytes(const Context&, const KvLayout& layout, std::size_t n_head, std::size_t,
                                    std::size_t max_context) noexcept {
  return n_head * (max_context / kAttentionChunk + 1) * partial_floats(layout.head_dim) * sizeof(float);
}

void attention(const Context& ctx, const KvLayout& layout, std::size_t layer, std::span<const AttentionItem> items,
               std::size_t n_head, const AttentionRule& rule, std::span<std::byte> scratch) {
  LQ_CHECK(layout.head_dim <= kMaxHeadDim && layout.head_dim > 0 && n_head % layout.n_kv_head == 0, Code::internal,
           "attention: ", n_head, " heads of ", layout.head_dim, " over ", layout.n_kv_head, " KV heads");
  const Geometry g{layout, layer, n_head / layout.n_kv_head, rule};
  const std::size_t kv = layout.n_kv_head;
  if (items.size() == 1 && items[0].q.rows == 1 && items[0].keys == 0 && items[0].first_pos >= kAttentionChunk &&
      ctx.pool().size() > 1 && kv <= kMaxSplit &&
      scratch.size() >= attention_scratch_bytes(ctx, layout, n_head, 1, items[0].first_pos))
    return attend_split(ctx, g, items[0], reinterpret_cast<float*>(scratch.data()));

  std::size_t blocks = 0;
  for (const AttentionItem& item : items) blocks += (item.q.rows + kTokenBlock - 1) / kTokenBlock;
  ctx.pool().parallel_for(blocks * kv, 1, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t i = begin; i < end; ++i) {
      std::size_t block = i / kv, at = 0;
      while (block >= (items[at].q.rows + kTokenBlock - 1) / kTokenBlock)
        block -= (items[at++].q.rows + kTokenBlock - 1) / kTokenBlock;
      const AttentionItem& item = items[at];
      const std::size_t first = block * kTokenBlock;
      const std::size_t last = item.q.rows - first < kTokenBlock ? item.q.rows : first + kTokenBlock;
      attend_block(ctx.kernels(), g, item, i % kv, first, last);
    }
  });
}

}  // namespace lq
