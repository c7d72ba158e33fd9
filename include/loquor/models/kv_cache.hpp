// The KV cache of one sequence: reference-counted pages of KvLayout::kPageTokens tokens. Forking shares full pages and
// copies the last, partly filled one only when either side writes to it (copy on write). One writer; pages that are
// shared are immutable, so several sequences may be read at once.
#pragma once

#include <cstddef>
#include <vector>

#include "loquor/core/context.hpp"
#include "loquor/models/kv_page.hpp"
#include "loquor/nn/kv_layout.hpp"

namespace lq {

class KvSequence {
 public:
  static constexpr std::size_t kMaxTokens = std::size_t{1} << 31;

  // `wipe`: its pages are overwritten with zeros before their memory goes back.
  KvSequence(const Context& ctx, KvLayout layout, bool wipe = false) : ctx_(&ctx), layout_(layout), wipe_(wipe) {}

  KvSequence(KvSequence&&) noexcept = default;
  KvSequence& operator=(KvSequence&&) noexcept = default;

  const KvLayout& layout() const noexcept { return layout_; }
  std::size_t length() const noexcept { return length_; }

  // Makes positions [length(), length() + n) writable: allocates zeroed pages, copies a shared tail page. Strong
  // guarantee: on Error{out_of_memory|limit} the sequence is unchanged. At most kMaxTokens positions in all.
  void reserve(std::size_t n);
  // Declares n more positions valid, after a forward pass wrote them.
  void commit(std::size_t n) noexcept { length_ += n; }
  // Forgets positions >= n. Frees the pages past the end, also those reserved and not committed (so truncate(length())
  // undoes reserve()).
  void truncate(std::size_t n) noexcept;
  // A sequence of the same committed positions that shares this one's pages. Throws Error{out_of_memory}.
  KvSequence fork() const;
  // Puts a full page of another sequence, of this layout, in the place of page length() / kPageTokens, and declares its
  // positions valid: they must be those of the same tokens. Not while positions are reserved. Strong guarantee. Throws
  // Error{out_of_memory|limit}.
  void adopt(KvPage page);

  std::byte* const* pages() const noexcept { return raw_.data(); }
  std::size_t page_count() const noexcept { return raw_.size(); }
  std::size_t nbytes() const noexcept { return raw_.size() * layout_.bytes_per_page(); }
  const KvPage& page(std::size_t i) const noexcept { return pages_[i]; }
  bool page_shared(std::size_t i) const noexcept { return pages_[i].shared(); }

 private:
  KvSequence(const KvSequence&) = default;

  const Context* ctx_;
  KvLayout layout_;
  bool wipe_ = false;
  std::size_t length_ = 0;
  std::vector<KvPage> pages_;
  std::vector<std::byte*> raw_;  // pages_[i]->data(), as the kernels want them
};

}  // namespace lq
