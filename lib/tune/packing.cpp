#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

#include "loquor/core/status.hpp"
#include "loquor/tune/texts.hpp"

namespace lq {
namespace {

class PackedDataset final : public Dataset {
 public:
  PackedDataset(std::size_t rows, std::size_t length)
      : length_(length), x_(rows * 2 * length, 0), y_(rows * length, -1), filled_(rows, 0) {}

  std::size_t size() const noexcept override { return filled_.size(); }
  Shape x_shape() const override { return {2, length_}; }
  Shape y_shape() const override { return {length_}; }
  void get(std::size_t i, void* x, void* y) const override {
    std::memcpy(x, x_.data() + i * 2 * length_, 2 * length_ * sizeof(std::int32_t));
    std::memcpy(y, y_.data() + i * length_, length_ * sizeof(std::int32_t));
  }

  void add(std::size_t row, const TuneText& t) {
    const std::size_t at = filled_[row];
    std::int32_t* const ids = x_.data() + row * 2 * length_ + at;
    std::int32_t* const y = y_.data() + row * length_ + at;
    for (std::size_t i = 0; i < t.tokens.size(); ++i) {
      ids[i] = t.tokens[i];
      ids[length_ + i] = static_cast<std::int32_t>(i);
      if (i > 0 && t.learnt[i]) y[i - 1] = t.tokens[i];
    }
    filled_[row] += t.tokens.size();
  }

 private:
  std::size_t length_;
  std::vector<std::int32_t> x_, y_;
  std::vector<std::size_t> filled_;
};

// The row of each text: the fullest that it fits into, the longest texts first (best fit decreasing).
std::vector<std::size_t> rows_of(std::span<const TuneText> texts, std::size_t length, bool pack, std::size_t& rows) {
  std::vector<std::size_t> order(texts.size()), row(texts.size());
  std::iota(order.begin(), order.end(), 0);
  rows = texts.size();
  if (!pack) return order;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return texts[a].tokens.size() > texts[b].tokens.size(); });
  std::set<std::pair<std::size_t, std::size_t>> room;  // (tokens left, row)
  rows = 0;
  for (const std::size_t i : order) {
    const std::size_t n = texts[i].tokens.size();
    const auto found = room.lower_bound({n, 0});
    const std::pair<std::size_t, std::size_t> to = found == room.end() ? std::pair(length, rows++) : *found;
    if (found != room.end()) room.erase(found);
    row[i] = to.second;
    if (to.first > n) room.insert({to.first - n, to.second});
  }
  return row;
}

}  // namespace

std::unique_ptr<Dataset> packed_dataset(std::span<const TuneText> texts, std::size_t length, bool pack) {
  for (const TuneText& t : texts)
    LQ_CHECK(t.tokens.size() <= length && t.learnt.size() == t.tokens.size(), Code::invalid_argument,
             "fine-tuning: a text of ", t.tokens.size(), " tokens in rows of ", length);
  std::size_t rows = 0;
  const std::vector<std::size_t> row = rows_of(texts, length, pack, rows);
  auto out = std::make_unique<PackedDataset>(rows, length);
  for (std::size_t i = 0; i < texts.size(); ++i) out->add(row[i], texts[i]);
  return out;
}

}  // namespace lq
