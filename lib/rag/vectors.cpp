#include "vectors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "loquor/core/threads.hpp"

namespace lq {
namespace {

// 14 bits: sums of products with bytes stay within 32 bits for vectors of length 1 up to 4,096 numbers.
struct Query {
  std::vector<std::int16_t> values;
  float scale = 0;
};

float largest(std::span<const float> v) {
  float most = 0;
  for (const float x : v) most = std::max(most, std::abs(x));
  return most;
}

Query to_words(std::span<const float> v) {
  constexpr float kMost = 8191;
  const float most = largest(v);
  Query q{std::vector<std::int16_t>(v.size()), most / kMost};
  if (most > 0)
    for (std::size_t i = 0; i < v.size(); ++i) q.values[i] = static_cast<std::int16_t>(std::lrint(v[i] / q.scale));
  return q;
}

std::int32_t dot(const std::int16_t* a, const std::int8_t* b, std::size_t n) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<std::int32_t>(a[i]) * b[i];
  return sum;
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

void Vectors::add(std::int64_t chunk, std::int64_t document, std::span<const std::int8_t> values, float scale) {
  at_[chunk] = chunks_.size();
  chunks_.push_back(chunk);
  documents_.push_back(document);
  scales_.push_back(scale);
  data_.insert(data_.end(), values.begin(), values.end());
}

void Vectors::clear() {
  chunks_.clear();
  documents_.clear();
  scales_.clear();
  data_.clear();
  at_.clear();
}

std::vector<Vectors::Found> Vectors::nearest(const Context& ctx, std::span<const float> query, std::size_t k,
                                             const std::function<bool(std::int64_t)>& wanted) const {
  const Query q = to_words(query);
  constexpr std::size_t kPiece = 8192;
  const std::size_t pieces = (size() + kPiece - 1) / kPiece;
  std::vector<std::vector<Found>> best(pieces);
  for (auto& b : best) b.reserve(std::min(k, kPiece));  // nothing is allocated on the pool's threads
  ctx.pool().parallel_for(pieces, [&](std::size_t first, std::size_t end, unsigned) {
    for (std::size_t p = first; p < end; ++p)
      for (std::size_t i = p * kPiece; i < std::min(size(), (p + 1) * kPiece); ++i) {
        if (wanted && !wanted(documents_[i])) continue;
        const float c = static_cast<float>(dot(q.values.data(), row(i), dimension_)) * q.scale * scales_[i];
        keep(best[p], k, {chunks_[i], c});
      }
  });
  std::vector<Found> all;
  for (const auto& b : best) all.insert(all.end(), b.begin(), b.end());
  std::sort(all.begin(), all.end(), nearer);
  if (all.size() > k) all.resize(k);
  return all;
}

float Vectors::cosine(std::span<const float> query, std::int64_t chunk) const {
  const auto found = at_.find(chunk);
  if (found == at_.end()) return std::numeric_limits<float>::quiet_NaN();
  float sum = 0;
  const std::int8_t* v = row(found->second);
  for (std::size_t i = 0; i < dimension_; ++i) sum += query[i] * static_cast<float>(v[i]);
  return sum * scales_[found->second];
}

float Vectors::cosine(std::int64_t a, std::int64_t b) const {
  const auto x = at_.find(a), y = at_.find(b);
  if (x == at_.end() || y == at_.end()) return 0;
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < dimension_; ++i) sum += static_cast<std::int32_t>(row(x->second)[i]) * row(y->second)[i];
  return static_cast<float>(sum) * scales_[x->second] * scales_[y->second];
}

}  // namespace lq
