// Handles: checked numbers that stand for objects of the library. A handle holds the index of a slot in a process-wide
// table and the slot's generation, so a freed, foreign or mistyped handle is recognised without touching memory that
// may be gone. Lock-free, so that cancelling works in signal handlers and a fork() cannot leave a lock held.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace lq::capi {

enum class Kind : unsigned char {
  cancel,
  context,
  model,
  stream,
  chat_template,
  sampler,
  session,
  batch,
  prefix_cache,
  embedder,
  network,
  dataset,
  trainer,
  adapter,
  grammar,
  report,
  store,
  prompt
};

const char* kind_name(Kind kind) noexcept;

// The last message of a failed call on a handle: fixed size, so that recording it cannot fail; locked, because
// contexts and models are shared between threads.
class Message {
 public:
  static constexpr std::size_t kCapacity = 512;
  void set(const char* text) noexcept;
  // Copies it to `out` (kCapacity bytes, NUL-terminated); returns the length.
  std::size_t get(char* out) const noexcept;

 private:
  mutable std::atomic_flag lock_ = ATOMIC_FLAG_INIT;
  char text_[kCapacity] = {};
};

// What a handle stands for.
class Object {
 public:
  explicit Object(Kind kind) noexcept;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  Kind kind() const noexcept { return kind_; }
  // True in a child process of the one that made it.
  bool inherited() const noexcept;

  Message message;

 private:
  Kind kind_;
  int pid_;
};

// Keeps the object of a handle alive during a call, also if the handle is freed meanwhile.
class Pin {
 public:
  Pin() noexcept = default;
  Pin(Pin&& other) noexcept : object_(std::exchange(other.object_, nullptr)), slot_(other.slot_) {}
  Pin& operator=(Pin&& other) noexcept {
    std::swap(object_, other.object_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~Pin() { release(); }

  // Throws Error{invalid_argument|forked} naming `function` and `argument` unless `handle` is a live handle of `kind`.
  static Pin acquire(const void* handle, Kind kind, const char* function, const char* argument);
  Object* object() const noexcept { return object_; }

 private:
  friend class HandleTable;
  void release() noexcept;
  Object* object_ = nullptr;
  std::uint32_t slot_ = 0;
};

// Makes a handle for the object. Throws Error{limit} if there are too many, std::bad_alloc.
void* make_handle(std::unique_ptr<Object> object);

// Ends the handle; the object is destroyed now or when the last call on it returns. Anything that is not a live handle
// of this kind is ignored, as is an inherited one.
void free_handle(const void* handle, Kind kind) noexcept;

// How many handles are live in this process (for tests).
std::size_t live_handles() noexcept;

}  // namespace lq::capi
