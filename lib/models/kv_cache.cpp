#include "loquor/models/kv_cache.hpp"

#include <algorithm>
#include <new>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kPage = KvLayout::kPageTokens;

std::size_t pages_for(std::size_t tokens) noexcept { return tokens / kPage + (tokens % kPage != 0); }

}  // namespace

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
    std::vector<KvPage> fresh;
    fresh.reserve(wanted - first);
    for (std::size_t i = first; i < wanted; ++i) {
      const bool present = i < pages_.size();
      if (present && !pages_[i].shared())
        fresh.emplace_back();
      else if (present && i * kPage < length_)
        fresh.push_back(pages_[i].copy(*ctx_, wipe_));
      else
        fresh.push_back(KvPage::make(*ctx_, layout_.bytes_per_page(), wipe_));
    }
    pages_.resize(std::max(wanted, pages_.size()));
    raw_.resize(pages_.size());
    for (std::size_t i = first; i < wanted; ++i)
      if (fresh[i - first]) {
        pages_[i] = std::move(fresh[i - first]);
        raw_[i] = pages_[i].data();
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

void KvSequence::adopt(KvPage page) {
  const std::size_t at = length_ / kPage;
  LQ_CHECK(page && page.size() == layout_.bytes_per_page(), Code::internal, "kv cache: a page of another layout");
  LQ_CHECK((at + 1) * kPage <= kMaxTokens, Code::limit, "kv cache: page ", at, " is over ", kMaxTokens, " positions");
  try {
    pages_.reserve(at + 1);
    raw_.reserve(at + 1);
  } catch (const std::bad_alloc&) {
    fail(Code::out_of_memory, "kv cache: no memory for ", at + 1, " pages");
  }
  pages_.resize(at);
  raw_.resize(at);
  raw_.push_back(page.data());
  pages_.push_back(std::move(page));
  length_ = (at + 1) * kPage;
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
