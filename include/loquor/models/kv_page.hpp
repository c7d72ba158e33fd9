// A block of a KV cache: the keys and values of KvLayout::kPageTokens positions, counted by those who hold it. A KvPage
// is one such hold. Whoever is the only holder may write; what has several is immutable. Thread contract: as for
// std::shared_ptr, different holds of one block may be copied and dropped on different threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include "loquor/core/context.hpp"

namespace lq {

class KvPage {
 public:
  KvPage() noexcept = default;  // holds nothing
  KvPage(const KvPage& other) noexcept : block_(other.block_) {
    if (block_) block_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  KvPage(KvPage&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  KvPage& operator=(KvPage other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~KvPage() { drop(); }

  // A block of zeros. One that wipes is overwritten with zeros before its memory goes back, whoever drops it last.
  // Throws Error{out_of_memory}, std::bad_alloc.
  static KvPage make(const Context& ctx, std::size_t bytes, bool wipe);
  // A block of the same bytes with one holder; it wipes if this one does, or if asked to.
  KvPage copy(const Context& ctx, bool wipe) const;

  explicit operator bool() const noexcept { return block_ != nullptr; }
  std::byte* data() const noexcept { return block_->bytes.data(); }
  std::size_t size() const noexcept { return block_->bytes.size(); }
  bool wipes() const noexcept { return block_->wipe; }
  // False: this is the only hold, and what the others read happened before; so it may be written.
  bool shared() const noexcept { return block_->holders.load(std::memory_order_acquire) > 1; }

 private:
  struct Block {
    Storage bytes;
    bool wipe;
    std::atomic<std::size_t> holders{1};
  };
  static KvPage allocate(const Context& ctx, std::size_t bytes, bool wipe);
  void drop() noexcept;

  Block* block_ = nullptr;
};

}  // namespace lq
