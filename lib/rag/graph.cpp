#include "graph.hpp"

#include <iostream>
// Its hand-written distances are not used, and would define functions in every unit; what it has to say on the host's
// streams, about parameters that are not ours, goes nowhere.
#define NO_MANUAL_VECTORIZATION
#define cerr ostream(nullptr)
#include <hnswlib/hnswalg.h>
#include <hnswlib/hnswlib.h>
#undef cerr

#include <atomic>
#include <cstring>

#include "loquor/core/checksum.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

using Index = hnswlib::HierarchicalNSW<float>;
constexpr std::size_t kBuildWidth = 128;
constexpr std::uint32_t kQuery = Graph::kGone;  // stands for the query where a row is expected
constexpr std::string_view kMagic = "LQGRAPH1";
constexpr std::size_t kMostLayers = 32;

// To the library a vector is the number of a row.
struct Space final : hnswlib::SpaceInterface<float> {
  explicit Space(Graph::Metric m) : metric(std::move(m)) {}
  std::size_t get_data_size() override { return sizeof(std::uint32_t); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return distance; }
  void* get_dist_func_param() override { return &metric; }
  static float distance(const void* a, const void* b, const void* param) {
    std::uint32_t x, y;
    std::memcpy(&x, a, sizeof x);
    std::memcpy(&y, b, sizeof y);
    const auto& m = *static_cast<const Graph::Metric*>(param);
    return x == kQuery ? -m.query(y) : -m.rows(x, y);
  }
  Graph::Metric metric;
};

// ---- the written form: little-endian, "LQGRAPH1", n, entry, then of each entry its name, its layers and, layer by
// layer from the lowest, the number of its links and the links; a checksum at the end --------------------------------

template <class T>
void put(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T take() {
    LQ_CHECK(bytes_.size() - at_ >= sizeof(T), Code::bad_file, "graph: cut off at byte ", at_);
    T v;
    std::memcpy(&v, bytes_.data() + at_, sizeof v);
    at_ += sizeof v;
    return v;
  }
  std::size_t left() const noexcept { return bytes_.size() - at_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

struct Entry {
  std::uint32_t row = Graph::kGone;
  std::vector<std::vector<std::uint32_t>> layers;
};

struct Written {
  std::uint32_t entry = 0;
  std::vector<Entry> entries;
};

std::size_t most_links(std::size_t layer) { return layer ? Graph::kLinks : 2 * Graph::kLinks; }

Written parse(std::string_view bytes, const std::function<std::uint32_t(std::int64_t)>& row_of) {
  constexpr std::size_t kLeast = 13;  // bytes of an entry
  const std::size_t end = bytes.size() < 8 ? 0 : bytes.size() - 8;
  std::uint64_t sum = 0;
  if (end) std::memcpy(&sum, bytes.data() + end, 8);
  LQ_CHECK(end > kMagic.size() && bytes.starts_with(kMagic), Code::bad_file, "graph: not a graph of this library");
  LQ_CHECK(sum == checksum(bytes.data(), end), Code::bad_file, "graph: damaged (its checksum differs)");
  Reader r(bytes.substr(kMagic.size(), end - kMagic.size()));
  const auto n = r.take<std::uint64_t>();
  LQ_CHECK(n > 0 && n <= r.left() / kLeast, Code::bad_file, "graph: ", n, " entries in ", r.left(), " bytes");
  Written w;
  w.entry = r.take<std::uint32_t>();
  w.entries.resize(n);
  for (Entry& e : w.entries) {
    e.row = row_of(r.take<std::int64_t>());
    e.layers.resize(r.take<std::uint8_t>());
    LQ_CHECK(!e.layers.empty() && e.layers.size() <= kMostLayers, Code::bad_file, "graph: an entry on ",
             e.layers.size(), " layers");
    for (std::size_t l = 0; l < e.layers.size(); ++l) {
      const auto links = r.take<std::uint16_t>();
      LQ_CHECK(links <= most_links(l), Code::bad_file, "graph: an entry has ", links, " links, at most ",
               most_links(l));
      for (std::size_t i = 0; i < links; ++i) e.layers[l].push_back(r.take<std::uint32_t>());
    }
  }
  LQ_CHECK(r.left() == 0 && w.entry < n, Code::bad_file, "graph: ", r.left(), " bytes too many, or no entry");
  for (const Entry& e : w.entries)
    for (std::size_t l = 0; l < e.layers.size(); ++l)
      for (const std::uint32_t to : e.layers[l])
        LQ_CHECK(to < n && w.entries[to].layers.size() > l, Code::bad_file, "graph: a link to ", to, " on layer ", l);
  return w;
}

}  // namespace

struct Graph::Impl {
  Impl(Metric metric, std::size_t n)
      : space(std::move(metric)), index(&space, std::max<std::size_t>(n, 1), kLinks, kBuildWidth) {}
  void place(const Written& w, const std::vector<std::uint32_t>& now);
  Space space;
  mutable Index index;
};

Graph::Graph(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Graph::~Graph() = default;
std::size_t Graph::size() const noexcept { return impl_->index.cur_element_count; }

std::unique_ptr<Graph> Graph::build(Metric metric, std::size_t n, ThreadPool& pool,
                                    const std::function<bool(std::size_t)>& go_on) {
  constexpr std::size_t kPiece = 128, kGrain = 8;  // a piece takes some milliseconds
  auto impl = std::make_unique<Impl>(std::move(metric), n);
  for (std::size_t from = 0; from < n; from += kPiece) {
    const std::size_t end = std::min(n, from + kPiece);
    pool.parallel_for(end - from, kGrain, [&](std::size_t a, std::size_t b, unsigned) {
      for (std::size_t i = from + a; i < from + b; ++i) {
        const auto row = static_cast<std::uint32_t>(i);
        try {
          impl->index.addPoint(&row, row);
        } catch (const std::runtime_error& e) {  // of the library: it got no memory
          fail(Code::out_of_memory, "graph: ", e.what());
        }
      }
    });
    LQ_CHECK(!go_on || go_on(end), Code::cancelled, "store: stopped after ", end, " of ", n, " vectors");
  }
  return std::unique_ptr<Graph>(new Graph(std::move(impl)));
}

std::string Graph::write(std::span<const std::int64_t> name_of_row) const {
  Index& x = impl_->index;
  std::string out(kMagic);
  put<std::uint64_t>(out, x.cur_element_count);
  put<std::uint32_t>(out, x.enterpoint_node_);
  for (std::uint32_t i = 0; i < x.cur_element_count; ++i) {
    put<std::int64_t>(out, name_of_row[x.getExternalLabel(i)]);
    const int top = x.element_levels_[i];
    put<std::uint8_t>(out, static_cast<std::uint8_t>(top + 1));
    for (int l = 0; l <= top; ++l) {
      auto* const list = l ? x.get_linklist(i, l) : x.get_linklist0(i);
      const auto links = static_cast<std::uint16_t>(x.getListCount(list));
      put<std::uint16_t>(out, links);
      out.append(reinterpret_cast<const char*>(list + 1), links * sizeof(std::uint32_t));
    }
  }
  put<std::uint64_t>(out, checksum(out.data(), out.size()));
  return out;
}

// now[i]: the entry's place, or kGone for one whose row is gone; links to those are left out.
void Graph::Impl::place(const Written& w, const std::vector<std::uint32_t>& now) {
  for (std::size_t i = 0; i < w.entries.size(); ++i) {
    if (now[i] == kGone) continue;
    const Entry& e = w.entries[i];
    const int top = static_cast<int>(e.layers.size()) - 1;
    std::memset(index.data_level0_memory_ + now[i] * index.size_data_per_element_, 0, index.size_data_per_element_);
    index.setExternalLabel(now[i], e.row);
    std::memcpy(index.getDataByInternalId(now[i]), &e.row, sizeof e.row);
    index.element_levels_[now[i]] = 0;
    index.linkLists_[now[i]] = nullptr;
    if (top > 0) {
      const std::size_t bytes = index.size_links_per_element_ * static_cast<std::size_t>(top) + 1;
      index.linkLists_[now[i]] = static_cast<char*>(std::calloc(1, bytes));
      LQ_CHECK(index.linkLists_[now[i]], Code::out_of_memory, "graph: no memory for links");
      index.element_levels_[now[i]] = top;
    }
    index.cur_element_count = now[i] + 1;  // what the destructor frees
    for (int l = 0; l <= top; ++l) {
      auto* const list = l ? index.get_linklist(now[i], l) : index.get_linklist0(now[i]);
      std::uint16_t links = 0;
      for (const std::uint32_t to : e.layers[static_cast<std::size_t>(l)])
        if (now[to] != kGone) list[++links] = now[to];
      index.setListCount(list, links);
    }
    if (top > index.maxlevel_) {
      index.maxlevel_ = top;
      index.enterpoint_node_ = now[i];
    }
  }
  if (now[w.entry] != kGone) index.enterpoint_node_ = now[w.entry];
}

std::unique_ptr<Graph> Graph::read(Metric metric, std::string_view bytes,
                                   const std::function<std::uint32_t(std::int64_t)>& row_of) {
  const Written w = parse(bytes, row_of);
  std::vector<std::uint32_t> now(w.entries.size(), kGone);
  std::uint32_t n = 0;
  for (std::size_t i = 0; i < now.size(); ++i)
    if (w.entries[i].row != kGone) now[i] = n++;
  auto impl = std::make_unique<Impl>(std::move(metric), n);
  impl->place(w, now);
  // The file's entry need not be on the highest layer; the search begins there.
  if (n && impl->index.element_levels_[impl->index.enterpoint_node_] < impl->index.maxlevel_)
    for (std::uint32_t i = 0; i < n; ++i)
      if (impl->index.element_levels_[i] == impl->index.maxlevel_) impl->index.enterpoint_node_ = i;
  return std::unique_ptr<Graph>(new Graph(std::move(impl)));
}

std::vector<std::uint32_t> Graph::nearest(std::size_t k, std::size_t width) const {
  impl_->index.setEf(std::max(k, width));
  auto found = impl_->index.searchKnn(&kQuery, k);
  std::vector<std::uint32_t> out;
  for (; !found.empty(); found.pop()) out.push_back(static_cast<std::uint32_t>(found.top().second));
  return out;
}

}  // namespace lq
