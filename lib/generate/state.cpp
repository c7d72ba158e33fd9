// Saving and loading a session. Little-endian:
//   header   magic "LQSESS01", fingerprint u64, kv type i32, layers u32, kv heads u32, head size u32, tokens u64,
//            positions in the cache u64, bytes of a page u64, then a checksum u64 of all that
//   tokens   i32 each, checksum u64
//   pages    ceil(positions / 64), each its bytes and a checksum u64
// Everything is checked, and the new cache complete, before the session changes.
#include <bit>
#include <cstring>

#include "loquor/core/atomic_file.hpp"
#include "loquor/core/checksum.hpp"
#include "session_impl.hpp"

namespace lq {
namespace {

constexpr char kMagic[8] = {'L', 'Q', 'S', 'E', 'S', 'S', '0', '1'};

struct Header {
  char magic[8];
  std::uint64_t fingerprint;
  std::int32_t kv_type;
  std::uint32_t n_layer, n_kv_head, head_dim;
  std::uint64_t n_tokens, n_cached, page_bytes;
};
static_assert(sizeof(Header) == 56);

Header header_of(const Session::Impl& s) noexcept {
  const KvLayout& l = s.kv.layout();
  Header h{};
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.fingerprint = s.model->decoder()->fingerprint();
  for (const AdapterUse& use : s.adapters)
    h.fingerprint =
        (h.fingerprint ^ use.adapter->fingerprint()) * 0x9e3779b97f4a7c15u + std::bit_cast<std::uint32_t>(use.scale);
  h.kv_type = static_cast<std::int32_t>(l.type);
  h.n_layer = static_cast<std::uint32_t>(l.n_layer);
  h.n_kv_head = static_cast<std::uint32_t>(l.n_kv_head);
  h.head_dim = static_cast<std::uint32_t>(l.head_dim);
  h.n_tokens = s.tokens.size();
  h.n_cached = s.kv.length();
  h.page_bytes = l.bytes_per_page();
  return h;
}

std::size_t pages_of(std::uint64_t positions) noexcept {
  return (positions + KvLayout::kPageTokens - 1) / KvLayout::kPageTokens;
}

// Calls out(data, size) for each piece of the state, in order.
template <class Out>
void write_state(const Session::Impl& s, const Out& out) {
  const auto block = [&](const void* data, std::size_t n) {
    const std::uint64_t sum = checksum(data, n);
    out(data, n);
    out(&sum, sizeof sum);
  };
  const Header h = header_of(s);
  block(&h, sizeof h);
  block(s.tokens.data(), s.tokens.size() * sizeof(std::int32_t));
  for (std::size_t i = 0; i < pages_of(h.n_cached); ++i) block(s.kv.pages()[i], h.page_bytes);
}

class StateReader {
 public:
  StateReader(std::span<const std::byte> data, const std::string& name) : data_(data), name_(name) {}

  // The next n bytes, whose checksum follows.
  const std::byte* block(std::size_t n, const char* what) {
    LQ_CHECK(n <= data_.size() - at_ && data_.size() - at_ - n >= 8, Code::bad_file, name_, ": ends in its ", what,
             ", at byte ", data_.size());
    const std::byte* p = data_.data() + at_;
    std::uint64_t sum;
    std::memcpy(&sum, p + n, sizeof sum);
    LQ_CHECK(sum == checksum(p, n), Code::bad_file, name_, ": the checksum of its ", what, " at byte ", at_,
             " is wrong");
    at_ += n + 8;
    return p;
  }
  void finish() const {
    LQ_CHECK(at_ == data_.size(), Code::bad_file, name_, ": ", data_.size() - at_, " bytes after its end");
  }
  std::size_t left() const noexcept { return data_.size() - at_; }

 private:
  std::span<const std::byte> data_;
  std::size_t at_ = 0;
  const std::string& name_;
};

void check_header(const Session::Impl& s, const Header& h, const std::string& name) {
  const Header own = header_of(s);
  LQ_CHECK(h.fingerprint == own.fingerprint, Code::mismatch, name,
           ": was saved by another model, or with other adapters");
  LQ_CHECK(h.kv_type == own.kv_type, Code::mismatch, name, ": its cache is of type ", h.kv_type, ", this session's of ",
           own.kv_type);
  LQ_CHECK(h.n_layer == own.n_layer && h.n_kv_head == own.n_kv_head && h.head_dim == own.head_dim &&
               h.page_bytes == own.page_bytes,
           Code::mismatch, name, ": its cache has another shape");
  LQ_CHECK(h.n_cached <= h.n_tokens, Code::bad_file, name, ": ", h.n_cached, " cached positions of ", h.n_tokens,
           " tokens");
  LQ_CHECK(h.n_tokens <= s.n_ctx, Code::context_full, name, ": ", h.n_tokens, " tokens do not fit a context of ",
           s.n_ctx);
}

void load_state(Session::Impl& s, std::span<const std::byte> data, const std::string& name) {
  StateReader in(data, name);
  LQ_CHECK(data.size() >= sizeof kMagic && std::memcmp(data.data(), kMagic, 6) == 0, Code::bad_file, name,
           ": is not a session state");
  LQ_CHECK(std::memcmp(data.data(), kMagic, sizeof kMagic) == 0, Code::mismatch, name,
           ": is of a version this build does not read");
  Header h;
  std::memcpy(&h, in.block(sizeof h, "header"), sizeof h);
  check_header(s, h, name);
  LQ_CHECK(h.n_tokens <= in.left() / sizeof(std::int32_t), Code::bad_file, name, ": ", h.n_tokens, " tokens declared, ",
           in.left(), " bytes left");
  std::vector<std::int32_t> tokens(h.n_tokens);
  const std::byte* raw = in.block(tokens.size() * sizeof(std::int32_t), "tokens");
  if (!tokens.empty()) std::memcpy(tokens.data(), raw, tokens.size() * sizeof(std::int32_t));
  s.check_tokens(tokens);
  KvSequence kv(*s.model->context(), s.kv.layout(), s.options.wipe);
  LQ_CHECK(pages_of(h.n_cached) <= in.left() / h.page_bytes, Code::bad_file, name, ": ", pages_of(h.n_cached),
           " pages declared, ", in.left(), " bytes left");
  kv.reserve(h.n_cached);
  for (std::size_t i = 0; i < pages_of(h.n_cached); ++i)
    std::memcpy(kv.pages()[i], in.block(h.page_bytes, "cache"), h.page_bytes);
  in.finish();
  kv.commit(h.n_cached);
  s.abandon();
  s.generation.reset();
  s.logits = {};
  s.kv = std::move(kv);
  s.tokens.swap(tokens);
  if (!s.options.wipe) return;
  explicit_bzero(tokens.data(), tokens.capacity() * sizeof(tokens[0]));
}

}  // namespace

std::vector<std::byte> Session::save() const {
  const SessionLock lock(*impl_);
  impl_->abandon();
  std::vector<std::byte> out;
  std::size_t bytes = 0;
  write_state(*impl_, [&](const void*, std::size_t n) { bytes += n; });
  out.reserve(bytes);
  write_state(*impl_, [&](const void* p, std::size_t n) {
    const std::byte* b = static_cast<const std::byte*>(p);
    out.insert(out.end(), b, b + n);
  });
  return out;
}

void Session::save_file(const std::string& path) const {
  const SessionLock lock(*impl_);
  impl_->abandon();
  AtomicFile file(path);
  write_state(*impl_, [&](const void* p, std::size_t n) { file.write(p, n); });
  file.commit();
}

void Session::load(std::span<const std::byte> state) {
  const SessionLock lock(*impl_);
  load_state(*impl_, state, "session state");
}

void Session::load_file(const std::string& path) {
  const SessionLock lock(*impl_);
  const Storage file = Storage::read_file(impl_->model->context()->allocator(), path);
  load_state(*impl_, {file.data(), file.size()}, str("'", path, "'"));
}

}  // namespace lq
