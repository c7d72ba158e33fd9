#include "loquor/models/kv_cache.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kPage = KvLayout::kPageTokens;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t pages_for(std::size_t tokens) noexcept { return tokens / kPage + (tokens % kPage != 0); }

}  // namespace

std::shared_ptr<Storage> KvSequence::new_page(const std::byte* copy_of) const {
  const std::size_t bytes = layout_.bytes_per_page();
  auto page = std::make_shared<Storage>(ctx_->allocate(bytes, bytes >= kHugePage));
  // Attention reads whole tiles and masks what lies past the end, so the rest of a page must hold finite numbers and
  // never what another session left in the memory.
  if (copy_of)
    std::memcpy(page->data(), copy_of, bytes);
  else
    std::memset(page->data(), 0, bytes);
  return page;
}

void KvSequence::reserve(std::size_t n) {
  LQ_CHECK(n <= kMaxTokens && length_ <= kMaxTokens - n, Code::limit, "kv cache: ", length_, " + ", n,
           " positions are over ", kMaxTokens);
  if (n == 0) return;
  const std::size_t wanted = pages_for(length_ + n);
  const std::size_t first = length_ / kPage;  // the first page that will be written
  try {
    // Everything that can fail comes first: room in the vectors, copies of shared pages, then new ones.
    pages_.reserve(wanted);
    raw_.reserve(wanted);
    std::vector<std::shared_ptr<Storage>> fresh;
    fresh.reserve(wanted - first);
    for (std::size_t i = first; i < wanted; ++i) {
      const bool present = i < pages_.size();
      if (present && pages_[i].use_count() == 1) {
        std::atomic_thread_fence(std::memory_order_acquire);  // after the last reads of whoever shared it
        fresh.emplace_back();
      } else {
        fresh.push_back(new_page(present && i * kPage < length_ ? raw_[i] : nullptr));
      }
    }
    pages_.resize(std::max(wanted, pages_.size()));
    raw_.resize(pages_.size());
    for (std::size_t i = first; i < wanted; ++i)
      if (fresh[i - first]) {
        pages_[i] = std::move(fresh[i - first]);
        raw_[i] = pages_[i]->data();
      }
  } catch (const std::bad_alloc&) {
    fail(Code::out_of_memory, "kv cache: no memory for ", wanted, " pages of ", layout_.bytes_per_page(), " bytes");
  }
}

void KvSequence::truncate(std::size_t n) noexcept {
  if (n < length_) length_ = n;
  const std::size_t keep = pages_for(length_);
  if (keep >= pages_.size()) return;
  pages_.resize(keep);
  raw_.resize(keep);
}

KvSequence KvSequence::fork() const {
  try {
    KvSequence copy(*this);
    copy.truncate(length_);  // pages reserved but not yet committed stay with their owner
    return copy;
  } catch (const std::bad_alloc&) {
    fail(Code::out_of_memory, "kv cache: no memory to fork ", pages_.size(), " pages");
  }
}

}  // namespace lq
