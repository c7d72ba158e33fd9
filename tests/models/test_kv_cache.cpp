#include "loquor/models/kv_cache.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "counting_allocator.hpp"
#include "loquor/core/status.hpp"

namespace {

constexpr std::size_t kPage = lq::KvLayout::kPageTokens;

lq::KvLayout small_layout() {
  lq::KvLayout l;
  l.type = lq::DType::F16;
  l.n_layer = 2;
  l.n_kv_head = 3;
  l.head_dim = 32;
  return l;
}

lq::Code reserve_code(lq::KvSequence& seq, std::size_t n) {
  try {
    seq.reserve(n);
  } catch (const lq::Error& e) {
    return e.code();
  }
  return lq::Code::ok;
}

// Fills the whole of a page that the sequence may write.
void fill(lq::KvSequence& seq, std::size_t page, int value) {
  std::memset(seq.pages()[page], value, seq.layout().bytes_per_page());
}

bool holds(const lq::KvSequence& seq, std::size_t page, int value) {
  const std::byte* p = seq.pages()[page];
  return std::all_of(p, p + seq.layout().bytes_per_page(), [&](std::byte b) { return static_cast<int>(b) == value; });
}

}  // namespace

TEST_CASE("a sequence owns just the pages its positions need", "[models][kv_cache]") {
  lq_test::CountingAllocator allocator;
  const auto ctx = allocator.context();
  {
    lq::KvSequence seq(*ctx, small_layout());
    CHECK(seq.length() == 0);
    CHECK(seq.page_count() == 0);
    seq.reserve(1);
    CHECK(seq.page_count() == 1);
    CHECK(seq.length() == 0);
    CHECK(holds(seq, 0, 0));  // although the allocator gave garbage
    seq.commit(1);
    seq.reserve(kPage - 1);
    CHECK(seq.page_count() == 1);
    seq.reserve(kPage);
    CHECK(seq.page_count() == 2);
    seq.truncate(seq.length());
    CHECK(seq.page_count() == 1);
    seq.reserve(3 * kPage);
    seq.commit(3 * kPage);
    CHECK(seq.length() == 3 * kPage + 1);
    CHECK(seq.page_count() == 4);
    CHECK(seq.nbytes() == 4 * small_layout().bytes_per_page());
    CHECK(allocator.live >= seq.nbytes());
    seq.truncate(5 * kPage);
    CHECK(seq.length() == 3 * kPage + 1);
    seq.truncate(2 * kPage);
    CHECK(seq.length() == 2 * kPage);
    CHECK(seq.page_count() == 2);
    seq.truncate(0);
    CHECK(seq.page_count() == 0);
  }
  CHECK(allocator.live == 0);
}

TEST_CASE("forks share pages until one of them writes", "[models][kv_cache]") {
  lq_test::CountingAllocator allocator;
  const auto ctx = allocator.context();
  {
    lq::KvSequence parent(*ctx, small_layout());
    parent.reserve(kPage + 10);
    fill(parent, 0, 1);
    fill(parent, 1, 2);
    parent.commit(kPage + 10);
    const std::size_t live = allocator.live;
    lq::KvSequence child = parent.fork();
    CHECK(allocator.live == live);
    CHECK(child.length() == kPage + 10);
    CHECK(child.pages()[1] == parent.pages()[1]);
    CHECK(parent.page_shared(1));

    child.reserve(1);  // copies the partly filled page only
    CHECK(child.pages()[0] == parent.pages()[0]);
    CHECK(child.pages()[1] != parent.pages()[1]);
    CHECK(holds(child, 1, 2));
    CHECK_FALSE(parent.page_shared(1));
    fill(child, 1, 3);
    CHECK(holds(parent, 1, 2));

    std::byte* const own = parent.pages()[1];
    parent.reserve(1);  // no longer shared: written in place
    CHECK(parent.pages()[1] == own);

    // At a page boundary nothing is copied.
    lq::KvSequence other = parent.fork();
    other.truncate(kPage);
    other.reserve(1);
    CHECK(other.pages()[0] == parent.pages()[0]);
    CHECK(other.pages()[1] != parent.pages()[1]);
    CHECK(holds(other, 1, 0));
    CHECK(holds(parent, 0, 1));
  }
  CHECK(allocator.live == 0);
}

TEST_CASE("rewinding a fork into a shared page copies it before writing", "[models][kv_cache]") {
  lq_test::CountingAllocator allocator;
  const auto ctx = allocator.context();
  lq::KvSequence parent(*ctx, small_layout());
  parent.reserve(kPage);
  fill(parent, 0, 7);
  parent.commit(kPage);
  lq::KvSequence child = parent.fork();
  child.truncate(5);
  child.reserve(1);
  CHECK(child.pages()[0] != parent.pages()[0]);
  CHECK(holds(child, 0, 7));
}

TEST_CASE("a reservation that runs out of memory changes nothing", "[models][kv_cache]") {
  lq_test::CountingAllocator allocator;
  const auto ctx = allocator.context();
  {
    lq::KvSequence seq(*ctx, small_layout());
    seq.reserve(kPage / 2);
    fill(seq, 0, 9);
    seq.commit(kPage / 2);
    const lq::KvSequence keeper = seq.fork();  // so that reserve has a copy to make, then three new pages
    std::byte* const page = seq.pages()[0];
    for (long k = 0; k < 4; ++k) {
      const std::size_t live = allocator.live;
      allocator.fail_at = k;
      CHECK(reserve_code(seq, 3 * kPage + 1) == lq::Code::out_of_memory);
      CHECK(seq.length() == kPage / 2);
      CHECK(seq.page_count() == 1);
      CHECK(seq.pages()[0] == page);
      CHECK(allocator.live == live);
    }
    allocator.fail_at = -1;
    CHECK(reserve_code(seq, 3 * kPage + 1) == lq::Code::ok);
    CHECK(holds(seq, 0, 9));
  }
  CHECK(allocator.live == 0);
}

TEST_CASE("an absurd number of positions is refused before anything is allocated", "[models][kv_cache]") {
  lq_test::CountingAllocator allocator;
  const auto ctx = allocator.context();
  lq::KvSequence seq(*ctx, small_layout());
  CHECK(reserve_code(seq, static_cast<std::size_t>(-1)) == lq::Code::limit);
  CHECK(reserve_code(seq, lq::KvSequence::kMaxTokens + 1) == lq::Code::limit);
  CHECK(allocator.calls == 0);
}
