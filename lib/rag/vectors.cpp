#include "vectors.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "loquor/core/status.hpp"
#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

constexpr std::size_t kBlockRows = 2048;

float largest(std::span<const float> v) {
  float most = 0;
  for (const float x : v) most = std::max(most, std::abs(x));
  return most;
}

bool nearer(const Vectors::Found& a, const Vectors::Found& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.chunk < b.chunk;
}

// The k best so far, the worst of them on top.
void keep(std::vector<Vectors::Found>& heap, std::size_t k, Vectors::Found f) {
  if (heap.size() < k) {
    heap.push_back(f);
    std::push_heap(heap.begin(), heap.end(), nearer);
  } else if (nearer(f, heap.front())) {
    std::pop_heap(heap.begin(), heap.end(), nearer);
    heap.back() = f;
    std::push_heap(heap.begin(), heap.end(), nearer);
  }
}

}  // namespace

ByteVector to_bytes(std::span<const float> v) {
  constexpr float kMost = 127;
  const float most = largest(v);
  ByteVector out{std::vector<std::int8_t>(v.size()), most / kMost};
  if (most > 0)
    for (std::size_t i = 0; i < v.size(); ++i) out.values[i] = static_cast<std::int8_t>(std::lrint(v[i] / out.scale));
  return out;
}

// A query as it is, and rounded; both filled up with zeros.
struct Vectors::Query {
  std::vector<float> whole;
  ByteVector rounded;
};

Vectors::Vectors(std::shared_ptr<const Context> ctx, std::size_t dimension)
    : ctx_(std::move(ctx)),
      dimension_(dimension),
      stride_((dimension + kernels::kScanStride - 1) / kernels::kScanStride * kernels::kScanStride) {
  LQ_CHECK(dimension_ && stride_ <= kernels::kScanMost, Code::unsupported, "store: vectors of ", dimension_,
           " numbers, at most ", kernels::kScanMost, " are supported");
}

void Vectors::add(std::int64_t chunk, std::int64_t document, std::span<const std::int8_t> values, float scale) {
  LQ_CHECK(chunk > last() && document >= 0, Code::bad_file, "store: chunk ", chunk, " of document ", document,
           " after chunk ", last());
  const std::size_t at = chunks_.size();
  if (at / kBlockRows == blocks_.size()) {
    Storage block = ctx_->allocate(kBlockRows * stride_);
    std::memset(block.data(), 0, block.size());
    blocks_.push_back(std::move(block));
  }
  auto* to = reinterpret_cast<std::int8_t*>(blocks_[at / kBlockRows].data()) + at % kBlockRows * stride_;
  // -128, of which the kernels promise nothing, is never written; but a damaged file may hold it.
  for (std::size_t i = 0; i < dimension_; ++i) to[i] = std::max<std::int8_t>(values[i], -127);
  scales_.resize(at);  // what an earlier call left when memory ran out
  documents_.resize(at);
  scales_.push_back(scale);
  documents_.push_back(document);
  chunks_.push_back(chunk);
}

void Vectors::keep_only(std::span<const std::int64_t> chunks) noexcept {
  std::size_t next = 0;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    while (next < chunks.size() && chunks[next] < chunks_[i]) ++next;
    const bool there = next < chunks.size() && chunks[next] == chunks_[i];
    if (there || documents_[i] < 0) continue;
    documents_[i] = -1;
    ++dead_;
  }
}

void Vectors::clear() {
  graph_.reset();
  blocks_.clear();
  chunks_.clear();
  documents_.clear();
  scales_.clear();
  dead_ = 0;
}

std::size_t Vectors::find(std::int64_t chunk) const noexcept {
  const auto i = std::lower_bound(chunks_.begin(), chunks_.end(), chunk);
  const auto at = static_cast<std::size_t>(i - chunks_.begin());
  return i != chunks_.end() && *i == chunk && documents_[at] >= 0 ? at : chunks_.size();
}

const std::int8_t* Vectors::row(std::size_t i) const noexcept {
  return reinterpret_cast<const std::int8_t*>(blocks_[i / kBlockRows].data()) + i % kBlockRows * stride_;
}

float Vectors::exact(const Query& q, std::size_t i) const noexcept {
  return ctx_->kernels().dot_row_mixed(q.whole.data(), row(i), stride_) * scales_[i];
}

Vectors::Query Vectors::query_of(std::span<const float> query) const {
  Query q{std::vector<float>(stride_), {}};
  std::copy(query.begin(), query.end(), q.whole.begin());
  q.rounded = to_bytes(q.whole);
  return q;
}

// The `more` nearest rows from row `from` on, by the rounded query, are added to `all`.
void Vectors::scan(const Query& q, std::size_t from, std::size_t more, const std::function<bool(std::int64_t)>& wanted,
                   std::vector<Found>& all) const {
  ThreadPool& pool = ctx_->pool();
  const std::size_t first_block = from / kBlockRows;
  std::vector<std::vector<Found>> best(pool.size());
  // Nothing is allocated on the pool's threads.
  for (auto& b : best) b.reserve(std::min(more, chunks_.size() - std::min(from, chunks_.size())));
  pool.parallel_for(blocks_.size() - std::min(first_block, blocks_.size()), 4,
                    [&](std::size_t first, std::size_t end, unsigned thread) {
                      std::vector<Found>& mine = best[thread];
                      std::int32_t dots[kBlockRows];
                      for (std::size_t block = first_block + first; block < first_block + end; ++block) {
                        const std::size_t begin = std::max(from, block * kBlockRows);
                        const std::size_t last = std::min(chunks_.size(), (block + 1) * kBlockRows);
                        if (begin >= last) continue;
                        ctx_->kernels().dot_rows_i8(q.rounded.values.data(), row(begin), last - begin, stride_, dots);
                        for (std::size_t i = begin; i < last; ++i) {
                          const float c = static_cast<float>(dots[i - begin]) * (q.rounded.scale * scales_[i]);
                          // Nearly all, once there are some.
                          if (mine.size() == more && c < mine.front().cosine) continue;
                          if (documents_[i] >= 0 && (!wanted || wanted(documents_[i])))
                            keep(mine, more, {chunks_[i], c});
                        }
                      }
                    });
  for (const auto& b : best) all.insert(all.end(), b.begin(), b.end());
}

// The k nearest of these, by the query as it is.
std::vector<Vectors::Found> Vectors::best_of(const Query& q, std::vector<Found> all, std::size_t k) const {
  const std::size_t more = std::max(2 * k, k + 64);
  std::sort(all.begin(), all.end(), nearer);
  all.resize(std::min(all.size(), more));
  for (Found& f : all) f.cosine = exact(q, find(f.chunk));
  std::sort(all.begin(), all.end(), nearer);
  all.resize(std::min(all.size(), k));
  return all;
}

std::vector<Vectors::Found> Vectors::nearest(std::span<const float> query, std::size_t k,
                                             const std::function<bool(std::int64_t)>& wanted) const {
  const Query q = query_of(query);
  std::vector<Found> all;
  // By the rounded query more than k are found, and put in order by the query as it is.
  scan(q, 0, std::max(2 * k, k + 64), wanted, all);
  return best_of(q, std::move(all), k);
}

// Rows are near one another by what their bytes say; the scales of the query change no order.
Graph::Metric Vectors::metric() const {
  const auto dot = [this](const std::int8_t* a, std::uint32_t b) {
    std::int32_t sum = 0;
    ctx_->kernels().dot_rows_i8(a, row(b), 1, stride_, &sum);
    return static_cast<float>(sum) * scales_[b];
  };
  return {[this, dot](std::uint32_t a, std::uint32_t b) { return dot(row(a), b) * scales_[a]; },
          [this, dot](std::uint32_t b) { return dot(asked_->rounded.values.data(), b) * asked_->rounded.scale; }};
}

std::vector<Vectors::Found> Vectors::nearest_of_all(std::span<const float> query, std::size_t k, bool exactly) const {
  if (exactly || !graph_) return nearest(query, k, {});
  const Query q = query_of(query);
  const std::size_t more = std::max(2 * k, k + 64);
  asked_ = &q;
  std::vector<Found> all;
  for (const std::uint32_t i : graph_->nearest(more, more))
    if (documents_[i] >= 0) all.push_back({chunks_[i], 0});
  asked_ = nullptr;
  for (Found& f : all) f.cosine = exact(q, find(f.chunk));
  if (graph_end_ < chunks_.size()) scan(q, graph_end_, more, {}, all);
  return best_of(q, std::move(all), k);
}

std::string Vectors::make_graph(const std::function<bool(std::size_t, std::size_t)>& go_on) {
  graph_.reset();
  const std::size_t n = chunks_.size();
  graph_ = Graph::build(metric(), n, ctx_->pool(), [&](std::size_t done) { return !go_on || go_on(done, n); });
  graph_end_ = n;
  return graph_->write(chunks_);
}

bool Vectors::take_graph(std::string_view bytes) {
  graph_.reset();
  std::size_t gone = 0, end = 0, n = 0;
  std::vector<bool> seen(chunks_.size());
  auto graph = Graph::read(metric(), bytes, [&](std::int64_t chunk) {
    const std::size_t i = find(chunk);
    ++n;
    if (i == chunks_.size() || seen[i]) return ++gone, Graph::kGone;
    seen[i] = true;
    end = std::max(end, i + 1);
    return static_cast<std::uint32_t>(i);
  });
  // Rows up to its last one are taken for its own: all of them must be.
  for (std::size_t i = 0; i < end; ++i)
    if (!seen[i] && documents_[i] >= 0) return false;
  if (gone > n / 5 || graph->size() == 0) return false;
  graph_ = std::move(graph);
  graph_end_ = end;
  return true;
}

float Vectors::cosine(std::span<const float> query, std::int64_t chunk) const {
  const std::size_t at = find(chunk);
  if (at == chunks_.size()) return std::numeric_limits<float>::quiet_NaN();
  Query q{std::vector<float>(stride_), {}};
  std::copy(query.begin(), query.end(), q.whole.begin());
  return exact(q, at);
}

float Vectors::cosine(std::int64_t a, std::int64_t b) const {
  const std::size_t x = find(a), y = find(b);
  if (x == chunks_.size() || y == chunks_.size()) return 0;
  std::int32_t sum = 0;
  ctx_->kernels().dot_rows_i8(row(x), row(y), 1, stride_, &sum);
  return static_cast<float>(sum) * scales_[x] * scales_[y];
}

}  // namespace lq
