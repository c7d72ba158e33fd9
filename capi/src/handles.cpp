#include "handles.hpp"

#include <unistd.h>

#include <cstring>

#include "loquor/core/status.hpp"

namespace lq::capi {

namespace {

// A handle's bits: generation, slot index, and a tag that no aligned pointer has.
constexpr unsigned kTagBits = 4, kIndexBits = sizeof(void*) == 8 ? 20 : 14;
constexpr std::uintptr_t kTag = 0x9;
constexpr unsigned kGenerationBits = sizeof(void*) == 8 ? 32 : 14;
constexpr std::uint32_t kGenerationMask = kGenerationBits == 32 ? 0xffffffffu : (1u << kGenerationBits) - 1;
constexpr std::uint32_t kChunk = 256, kChunks = (1u << kIndexBits) / kChunk;

// Slot state: generation in the upper half; below it kLive and the number of pins. A slot with neither is vacant.
constexpr std::uint64_t kLive = std::uint64_t{1} << 31, kPins = kLive - 1;

struct Slot {
  std::atomic<std::uint64_t> state{0};
  std::atomic<Object*> object{nullptr};
};

// Grows by chunks, which are never given back: reading the slot of a stale handle is always safe.
std::atomic<Slot*> chunks[kChunks];
std::atomic<std::uint32_t> next_slot{0};
std::atomic<std::size_t> live{0};

Slot& slot_at(std::uint32_t index) noexcept {
  return chunks[index / kChunk].load(std::memory_order_acquire)[index % kChunk];
}

Slot& slot_to_fill(std::uint32_t index) {
  std::atomic<Slot*>& place = chunks[index / kChunk];
  Slot* chunk = place.load(std::memory_order_acquire);
  if (!chunk) {
    auto fresh = std::make_unique<Slot[]>(kChunk);
    if (place.compare_exchange_strong(chunk, fresh.get(), std::memory_order_acq_rel)) chunk = fresh.release();
  }
  return chunk[index % kChunk];
}

constexpr std::uint32_t generation_of(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state >> 32); }

struct Decoded {
  bool valid = false;
  std::uint32_t index = 0, generation = 0;
};

Decoded decode(const void* handle) noexcept {
  const auto bits = reinterpret_cast<std::uintptr_t>(handle);
  Decoded d;
  d.index = static_cast<std::uint32_t>(bits >> kTagBits) & ((1u << kIndexBits) - 1);
  d.generation = static_cast<std::uint32_t>(bits >> (kTagBits + kIndexBits));
  const bool tagged = (bits & ((1u << kTagBits) - 1)) == kTag;
  // Bits above the generation must be clear.
  const bool exact = ((static_cast<std::uint64_t>(d.generation) << (kTagBits + kIndexBits)) | (d.index << kTagBits) |
                      kTag) == static_cast<std::uint64_t>(bits);
  d.valid = tagged && exact && d.generation != 0 && chunks[d.index / kChunk].load(std::memory_order_acquire) != nullptr;
  return d;
}

}  // namespace

const char* kind_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::cancel:
      return "lq_cancel";
    case Kind::context:
      return "lq_context";
    case Kind::model:
      return "lq_model";
    case Kind::stream:
      return "lq_stream";
    case Kind::chat_template:
      return "lq_chat_template";
    case Kind::sampler:
      return "lq_sampler";
    case Kind::session:
      return "lq_session";
    case Kind::batch:
      return "lq_batch";
    case Kind::prefix_cache:
      return "lq_prefix_cache";
    case Kind::embedder:
      return "lq_embedder";
    case Kind::network:
      return "lq_network";
    case Kind::dataset:
      return "lq_dataset";
    case Kind::trainer:
      return "lq_trainer";
    case Kind::adapter:
      return "lq_adapter";
    case Kind::grammar:
      return "lq_grammar";
    case Kind::report:
      return "lq_report";
    case Kind::store:
      return "lq_store";
    case Kind::prompt:
      return "lq_prompt";
  }
  return "handle";
}

void Message::set(const char* text) noexcept {
  while (lock_.test_and_set(std::memory_order_acquire)) {
  }
  const std::size_t n = strnlen(text, kCapacity - 1);
  std::memcpy(text_, text, n);
  text_[n] = '\0';
  lock_.clear(std::memory_order_release);
}

std::size_t Message::get(char* out) const noexcept {
  while (lock_.test_and_set(std::memory_order_acquire)) {
  }
  std::memcpy(out, text_, kCapacity);
  lock_.clear(std::memory_order_release);
  return std::strlen(out);
}

Object::Object(Kind kind) noexcept : kind_(kind), pid_(static_cast<int>(getpid())) {}

bool Object::inherited() const noexcept { return pid_ != static_cast<int>(getpid()); }

Pin Pin::acquire(const void* handle, Kind kind, const char* function, const char* argument) {
  LQ_CHECK(handle, Code::invalid_argument, function, ": ", argument, " is NULL");
  const Decoded d = decode(handle);
  LQ_CHECK(d.valid, Code::invalid_argument, function, ": ", argument, " is not a handle of this library");
  Slot& slot = slot_at(d.index);
  std::uint64_t state = slot.state.load(std::memory_order_acquire);
  do {
    LQ_CHECK((state & kLive) && generation_of(state) == d.generation, Code::invalid_argument, function, ": ", argument,
             " is a handle that was freed");
  } while (!slot.state.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel));
  Pin pin;
  pin.object_ = slot.object.load(std::memory_order_relaxed);
  pin.slot_ = d.index;
  LQ_CHECK(pin.object_->kind() == kind, Code::invalid_argument, function, ": ", argument, " is a ",
           kind_name(pin.object_->kind()), ", not a ", kind_name(kind));
  LQ_CHECK(!pin.object_->inherited(), Code::forked, function, ": ", argument,
           " was made before fork() and belongs to the parent process");
  return pin;
}

void Pin::release() noexcept {
  if (!object_) return;
  // The pointer is read before the count falls: after that the slot may be filled again.
  Object* object = std::exchange(object_, nullptr);
  const std::uint64_t before = slot_at(slot_).state.fetch_sub(1, std::memory_order_acq_rel);
  if (!(before & kLive) && (before & kPins) == 1) delete object;
}

void* make_handle(std::unique_ptr<Object> object) {
  const std::uint32_t slots = 1u << kIndexBits;
  const std::uint32_t first = next_slot.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < slots; ++i) {
    const std::uint32_t index = (first + i) & (slots - 1);
    Slot& slot = slot_to_fill(index);
    std::uint64_t state = slot.state.load(std::memory_order_relaxed);
    if (state & (kLive | kPins)) continue;
    // One pin claims the vacant slot while the object is put in.
    if (!slot.state.compare_exchange_strong(state, state + 1, std::memory_order_acquire)) continue;
    std::uint32_t generation = (generation_of(state) + 1) & kGenerationMask;
    if (generation == 0) generation = 1;
    slot.object.store(object.release(), std::memory_order_relaxed);
    slot.state.store(static_cast<std::uint64_t>(generation) << 32 | kLive, std::memory_order_release);
    const std::size_t used = live.fetch_add(1, std::memory_order_relaxed) + 1;
    // Slots are filled in turn, so that generations wrap late; the table grows when more than half of it is in use.
    const std::uint32_t next = index + 1;
    const bool at_end = next == slots || !chunks[next / kChunk].load(std::memory_order_relaxed);
    next_slot.store(at_end && (next == slots || used * 2 <= next) ? 0 : next, std::memory_order_relaxed);
    return reinterpret_cast<void*>((static_cast<std::uintptr_t>(generation) << (kTagBits + kIndexBits)) |
                                   (static_cast<std::uintptr_t>(index) << kTagBits) | kTag);
  }
  fail(Code::limit, "more than ", slots, " handles are in use");
}

void free_handle(const void* handle, Kind kind) noexcept {
  if (!handle) return;
  const Decoded d = decode(handle);
  if (!d.valid) return;
  Slot& slot = slot_at(d.index);
  std::uint64_t state = slot.state.load(std::memory_order_acquire);
  // Pinned while it is looked at, so that the object cannot go away under the checks.
  do {
    if (!(state & kLive) || generation_of(state) != d.generation) return;
  } while (!slot.state.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel));
  Object* object = slot.object.load(std::memory_order_relaxed);
  bool mine = object->kind() == kind && !object->inherited();
  if (mine) {
    const std::uint64_t before = slot.state.fetch_and(~kLive, std::memory_order_acq_rel);
    if (before & kLive) live.fetch_sub(1, std::memory_order_relaxed);
  }
  const std::uint64_t before = slot.state.fetch_sub(1, std::memory_order_acq_rel);
  if (!(before & kLive) && (before & kPins) == 1) delete object;
}

std::size_t live_handles() noexcept { return live.load(std::memory_order_relaxed); }

}  // namespace lq::capi
