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

TEST_CASE("a sequence adopts another's full page in the place of its own beginning of it", "[models][kv_cache]") {
  lq_test::CountingAllocator allocator;
  const auto ctx = allocator.context();
  {
    lq::KvSequence parent(*ctx, small_layout()), child(*ctx, small_layout());
    parent.reserve(2 * kPage);
    fill(parent, 0, 1);
    fill(parent, 1, 2);
    parent.commit(2 * kPage);
    child.adopt(parent.page(0));
    child.reserve(10);
    fill(child, 1, 3);
    child.commit(10);
    child.adopt(parent.page(1));
    CHECK(child.length() == 2 * kPage);
    CHECK(child.page_count() == 2);
    CHECK(child.pages()[0] == parent.pages()[0]);
    CHECK(child.pages()[1] == parent.pages()[1]);
    CHECK(allocator.live == parent.nbytes());  // child's own beginning of the page is gone

    parent.truncate(kPage + 5);
    parent.reserve(1);  // writes: a copy, though the page was its own first
    fill(parent, 1, 4);
    CHECK(holds(child, 1, 2));

    lq::KvLayout other = small_layout();
    ++other.n_layer;
    lq::KvSequence stranger(*ctx, other);
    CHECK_THROWS_AS(stranger.adopt(parent.page(0)), lq::Error);
    CHECK(stranger.length() == 0);
  }
  CHECK(allocator.live == 0);
}

namespace {

// What the memory of pages held when it was given back.
struct Returned {
  std::size_t zeros = 0, others = 0;
  static void release(void* user, void* p, std::size_t bytes, std::size_t alignment) {
    auto& self = *static_cast<Returned*>(user);
    const auto* b = static_cast<const std::byte*>(p);
    ++(std::all_of(b, b + bytes, [](std::byte x) { return x == std::byte{0}; }) ? self.zeros : self.others);
    lq::default_allocator().release(nullptr, p, bytes, alignment);
  }
  lq::Allocator hooks() {
    lq::Allocator a = lq::default_allocator();
    a.user = this;
    a.release = release;
    return a;
  }
};

}  // namespace

TEST_CASE("a page that wipes is zeros when its memory goes back, whoever drops it last", "[models][kv_cache]") {
  Returned returned;
  lq::ContextOptions o;
  o.allocator = returned.hooks();
  const lq::Context ctx(o);
  {
    lq::KvSequence keeps(ctx, small_layout());
    {
      lq::KvSequence wipes(ctx, small_layout(), true);
      wipes.reserve(2 * kPage);
      fill(wipes, 0, 1);
      fill(wipes, 1, 2);
      wipes.commit(2 * kPage);
      keeps.adopt(wipes.page(0));
    }
    CHECK(returned.zeros == 1);  // page 1
    keeps.truncate(5);
    CHECK(keeps.page(0).wipes());
    lq::KvSequence copies = keeps.fork();
    copies.reserve(1);
    CHECK(copies.page(0).wipes());  // what it holds came from the same text
  }
  CHECK(returned.zeros == 3);
  CHECK(returned.others == 0);
  {
    lq::KvSequence keeps(ctx, small_layout());
    keeps.reserve(1);
    fill(keeps, 0, 1);
  }
  CHECK(returned.others == 1);
}
