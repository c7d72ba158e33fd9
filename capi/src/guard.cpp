#include "guard.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

namespace lq::capi {

#ifdef LQ_CAPI_TEST_HOOK
void (*test_hook)(const char* function) = nullptr;
#endif

namespace {

// The last message of each thread. A pthread key and not `thread_local`: the first touch of a thread_local in a library
// that was loaded with dlopen() allocates, and the C library ends the process if that fails.
constexpr std::size_t kThreadMessage = 1024;
const char kNoMemory[] = "out of memory (and none left to say where)";

struct ThreadMessages {
  pthread_key_t key;
  bool usable = false;
};

void free_message(void* text) {
  if (text != kNoMemory) std::free(text);
}

const ThreadMessages& messages() noexcept {
  static ThreadMessages instance;
  static std::atomic<int> state{0};  // 0 new, 1 being made, 2 made
  int expected = 0;
  if (state.load(std::memory_order_acquire) == 2) return instance;
  if (state.compare_exchange_strong(expected, 1)) {
    instance.usable = pthread_key_create(&instance.key, free_message) == 0;
    state.store(2, std::memory_order_release);
  }
  while (state.load(std::memory_order_acquire) != 2) {
  }
  return instance;
}

void set_thread_message(const char* text) noexcept {
  const ThreadMessages& m = messages();
  if (!m.usable) return;
  void* slot = pthread_getspecific(m.key);
  if (!slot || slot == kNoMemory) {
    void* fresh = std::malloc(kThreadMessage);
    if (!fresh || pthread_setspecific(m.key, fresh) != 0) {
      std::free(fresh);
      pthread_setspecific(m.key, kNoMemory);
      return;
    }
    slot = fresh;
  }
  char* out = static_cast<char*>(slot);
  const std::size_t n = strnlen(text, kThreadMessage - 1);
  std::memcpy(out, text, n);
  out[n] = '\0';
}

lq_status store(Object* about, Code code, const char* message) noexcept {
  const char* text = message && *message ? message : code_name(code);
  set_thread_message(text);
  if (about) about->message.set(text);
  return static_cast<lq_status>(code);
}

}  // namespace

lq_status record_exception(Object* about) noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return store(about, e.code() == Code::ok ? Code::internal : e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return store(about, Code::out_of_memory, "out of memory: an allocation failed");
  } catch (const std::length_error& e) {
    return store(about, Code::limit, e.what());
  } catch (const std::exception& e) {
    return store(about, Code::internal, e.what());
  } catch (...) {
    return store(about, Code::internal, "an exception of unknown type");
  }
}

}  // namespace lq::capi

extern "C" const char* lq_last_error(void) noexcept {
  const auto& m = lq::capi::messages();
  const void* text = m.usable ? pthread_getspecific(m.key) : nullptr;
  return text ? static_cast<const char*>(text) : "";
}
