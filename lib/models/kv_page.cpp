#include "loquor/models/kv_page.hpp"

#include <cstring>

namespace lq {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

KvPage KvPage::allocate(const Context& ctx, std::size_t bytes, bool wipe) {
  Storage storage = ctx.allocate(bytes, bytes >= kHugePage);
  KvPage page;
  page.block_ = new Block{std::move(storage), wipe};
  return page;
}

// Attention reads whole tiles and masks what lies past the end, so the rest of a page must hold finite numbers and
// never what another session left in the memory.
KvPage KvPage::make(const Context& ctx, std::size_t bytes, bool wipe) {
  KvPage page = allocate(ctx, bytes, wipe);
  std::memset(page.data(), 0, bytes);
  return page;
}

KvPage KvPage::copy(const Context& ctx, bool wipe) const {
  KvPage page = allocate(ctx, size(), wipe || wipes());
  std::memcpy(page.data(), data(), size());
  return page;
}

void KvPage::drop() noexcept {
  if (!block_ || block_->holders.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  if (block_->wipe) explicit_bzero(data(), size());
  delete block_;
}

}  // namespace lq
