/* Part of loquor.h: status codes, errors, versions, contexts, cancel handles.
 *
 * THREAT MODEL
 *   Every file, template, prompt, string and number given to these functions may be hostile: it leads to success or to
 *   a clean error, never to a crash, an abort, an exit, unbounded memory or unbounded time. The host program, its
 *   callbacks, its allocator and its memory are trusted: a pointer that is not NULL must point at what its type says,
 *   for the length given.
 *
 * STATUS AND ERRORS
 *   Every function that can fail returns lq_status: LQ_OK (0) or a negative LQ_ERR_* code. On failure out-parameters
 *   hold NULL or 0 and nothing else has changed, unless a function says otherwise; the handles given stay usable.
 *   lq_last_error() then gives a message that names what was being done, where (file, key, tensor, argument) and the
 *   value seen; a handle also remembers the last message of a call made on it (lq_<type>_error). No C++ exception, no
 *   signal handler and no write to stdout or stderr ever comes out of this library.
 *
 * HANDLES AND OWNERSHIP
 *   Types declared here without a body are opaque handles. What a function makes is returned through its first
 *   parameter and is owned by the caller until given to lq_<type>_free, for which NULL is a no-op. A handle keeps
 *   what it was made from alive (a session its model, a model its context), so they may be freed in any order. A handle
 *   is a checked number, not an address: NULL, a freed handle, or a handle of another type gives
 *   LQ_ERR_INVALID_ARGUMENT; freeing twice is a no-op. A handle freed while another thread is inside a call on it is
 *   destroyed when that call returns. `const char *` and other pointers that a function hands out are borrowed: they
 *   live as long as is said there and are never freed by the caller.
 *
 * STRINGS AND BUFFERS
 *   Text is UTF-8. A parameter pair `const char *s, size_t length` takes the length in bytes, and may then hold NUL and
 *   invalid UTF-8; LQ_NTS as the length means "up to the first NUL". A lone `const char *` is NUL-terminated. Text
 *   longer than LQ_MAX_TEXT bytes is refused with LQ_ERR_LIMIT.
 *   A triple `char *out, size_t capacity, size_t *length` is a buffer owned by the caller: *length (which may be NULL)
 *   receives the number of bytes of the whole result, without the terminating NUL that is written too. With out NULL
 *   and capacity 0 the call only reports the size and succeeds. If the result and its NUL do not fit, nothing is
 *   written but *length and the status is LQ_ERR_BUFFER_TOO_SMALL. For arrays of numbers it is the same, in
 *   elements and without the NUL.
 *
 * STRUCTURES
 *   Option and result structures begin with `struct_size`, which the caller sets with the LQ_..._INIT macro. They only
 *   ever grow at the end, so that a program and a library of different ages work together. NULL for options means the
 *   defaults, and in every field 0 or NULL does too unless it says otherwise. Options are copied: nothing they point
 *   at is used after the call returns, except handles (kept alive by reference) and callbacks with their user pointers.
 *
 * CALLBACKS
 *   A callback takes `void *user` last. Where it returns int, 0 means go on and anything else stop. Callbacks run on
 *   the thread that made the call unless stated, and may not call into the same session; they must not throw
 *   or longjmp.
 *
 * THREADS
 *   Each function states its contract in a line "Threads:".
 *     any       may be called from any thread at any time on a shared handle.
 *     one       one call at a time on this session, sampler, stream or batch; different ones are independent.
 *   Contexts, models and chat templates are immutable after creation and may be shared by all threads. Sessions of one
 *   context share its thread pool, which serves one call at a time.
 *   In a child made by fork(), handles of the parent give LQ_ERR_FORKED and freeing them releases nothing; new ones
 *   made in the child work. There is no global state besides the table of handles and each thread's last error.
 */
#ifndef LOQUOR_LQ_BASE_H
#define LOQUOR_LQ_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(LQ_BUILDING)
#define LQ_API __declspec(dllexport)
#elif defined(_WIN32) && !defined(LQ_STATIC)
#define LQ_API __declspec(dllimport)
#elif defined(__GNUC__)
#define LQ_API __attribute__((visibility("default")))
#else
#define LQ_API
#endif

#ifdef __cplusplus
#define LQ_NOEXCEPT noexcept
extern "C" {
#else
#define LQ_NOEXCEPT
#endif

/* Changes when a program compiled against older headers would no longer work. Compare with lq_abi_version(). */
#define LQ_ABI_VERSION 1

/* As a length: the string ends at its first NUL. */
#define LQ_NTS ((size_t)-1)

/* The longest text, in bytes, and the longest token list, in tokens, that any call accepts. */
#define LQ_MAX_TEXT ((size_t)1 << 30)
#define LQ_MAX_TOKENS ((size_t)1 << 28)

typedef enum lq_status {
  LQ_OK = 0,
  LQ_ERR_INVALID_ARGUMENT = -1, /* outside the documented domain; also a NULL, freed or wrong handle */
  LQ_ERR_NOT_FOUND = -2,        /* a file, model name, metadata key or token that does not exist */
  LQ_ERR_IO = -3,               /* the operating system refused or failed a read, write, map or rename */
  LQ_ERR_BAD_FILE = -4,         /* malformed, truncated or corrupt input */
  LQ_ERR_UNSUPPORTED = -5,      /* well-formed, but of a kind that this build does not know */
  LQ_ERR_OUT_OF_MEMORY = -6,    /* an allocation failed, or the caller's cap would be exceeded */
  LQ_ERR_CONTEXT_FULL = -7,     /* no room left in the session's context */
  LQ_ERR_CANCELLED = -8,        /* stopped by a cancel handle or a callback */
  LQ_ERR_LIMIT = -9,            /* a bound of a sandbox was reached: steps, nesting, output or input size */
  LQ_ERR_MISMATCH = -10,        /* a state that belongs to another model or version */
  LQ_ERR_TEMPLATE = -11,        /* the chat template is wrong or raised an exception of its own */
  LQ_ERR_FORKED = -12,          /* a handle of the parent process used in a child made by fork() */
  LQ_ERR_INTERNAL = -13,        /* a defect of this library; please report it with the message */
  LQ_ERR_BUFFER_TOO_SMALL = -14 /* the caller's buffer does not hold the result; its size was reported */
} lq_status;

/* "ok", "invalid_argument", ... A constant; "unknown" for other numbers. Threads: any. */
LQ_API const char* lq_status_name(lq_status status) LQ_NOEXCEPT;

/* The message of the last failed call on this thread; "" if none has failed. Not cleared by success. Borrowed: valid
 * until the next failing call on this thread. Copy it as data, never use it as a format string. Threads: any. */
LQ_API const char* lq_last_error(void) LQ_NOEXCEPT;

/* "0.1.0". A constant. Threads: any. */
LQ_API const char* lq_version(void) LQ_NOEXCEPT;

/* LQ_ABI_VERSION of the library that is running. Threads: any. */
LQ_API uint32_t lq_abi_version(void) LQ_NOEXCEPT;

/* The instruction sets that this CPU and this build support, best first, separated by commas: "avx512vnni,avx512,
 * avx2,scalar" (no blanks). Each is a valid lq_context_options.isa. Threads: any. */
LQ_API lq_status lq_isa_list(char* out, size_t capacity, size_t* length) LQ_NOEXCEPT;

/* ---- Cancel handles -------------------------------------------------------------------------------------------- */

/* A flag that stops loading and generation from outside. Give it to the options of any number of calls. */
typedef struct lq_cancel lq_cancel;

/* Threads: any. */
LQ_API lq_status lq_cancel_create(lq_cancel** out) LQ_NOEXCEPT;

/* Asks every call that was given this handle to return LQ_ERR_CANCELLED, within one token or 20 ms. Stays set until
 * lq_cancel_reset. Threads: any; also safe in a signal handler. */
LQ_API lq_status lq_cancel_trigger(lq_cancel* cancel) LQ_NOEXCEPT;

/* Makes the handle usable again. Threads: any. */
LQ_API lq_status lq_cancel_reset(lq_cancel* cancel) LQ_NOEXCEPT;

/* *out = 1 if triggered, else 0. Threads: any. */
LQ_API lq_status lq_cancel_is_set(int32_t* out, const lq_cancel* cancel) LQ_NOEXCEPT;

LQ_API void lq_cancel_free(lq_cancel* cancel) LQ_NOEXCEPT;

/* ---- Contexts -------------------------------------------------------------------------------------------------- */

/* Threads, memory, log and instruction set: what everything else is made in. Two contexts in one process never meet. */
typedef struct lq_context lq_context;

typedef enum lq_log_level { LQ_LOG_DEBUG = 0, LQ_LOG_INFO = 1, LQ_LOG_WARNING = 2, LQ_LOG_ERROR = 3 } lq_log_level;

/* `message` is NUL-terminated and borrowed for the call. May run on any thread that is inside a call. */
typedef void (*lq_log_fn)(lq_log_level level, const char* message, void* user);

/* Allocates `bytes` (> 0) aligned to `alignment` (a power of two >= 64), or returns NULL, which the caller of the
 * library sees as LQ_ERR_OUT_OF_MEMORY. Used for the large buffers: weights, KV cache, workspaces. May run on any
 * thread. */
typedef void* (*lq_allocate_fn)(size_t bytes, size_t alignment, void* user);
typedef void (*lq_release_fn)(void* ptr, size_t bytes, size_t alignment, void* user);

/* Runs run(task, i) exactly once for each i in [0, n), on any threads, and returns when all have finished. */
typedef void (*lq_parallel_for_fn)(size_t n, void (*run)(void* task, size_t i), void* task, void* user);

typedef struct lq_context_options {
  uint32_t struct_size;
  uint32_t threads;        /* computing threads, the caller's included; 0 = the CPUs this process may use. At most
                              1024 */
  const int32_t* affinity; /* CPU numbers for the worker threads, used round robin; NULL = not pinned. The calling
                              thread is never pinned */
  size_t affinity_count;
  uint32_t spin_us;                /* how long an idle worker spins before it sleeps; 0 = 50 microseconds */
  uint32_t reserved;               /* 0 */
  lq_parallel_for_fn parallel_for; /* the host's own thread pool; if set, the library makes no threads and `threads`
                                      says into how many parts work is split */
  void* parallel_for_user;
  lq_allocate_fn allocate; /* both or neither */
  lq_release_fn release;
  void* allocator_user;
  lq_log_fn log; /* NULL = silent */
  void* log_user;
  const char* isa; /* one of lq_isa_list; NULL or "" = the environment's LQ_FORCE_ISA, else the best */
} lq_context_options;

#define LQ_CONTEXT_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_context_options), 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/* Makes a context. Errors: UNSUPPORTED for an instruction set that this CPU or build lacks. Threads: any. */
LQ_API lq_status lq_context_create(lq_context** out, const lq_context_options* options) LQ_NOEXCEPT;

/* Models and sessions made from the context stay valid: it is destroyed after the last of them. Threads: any. */
LQ_API void lq_context_free(lq_context* context) LQ_NOEXCEPT;

/* The instruction set in use, "avx2". Borrowed from the context. Threads: any. */
LQ_API lq_status lq_context_isa(const char** out, const lq_context* context) LQ_NOEXCEPT;

/* The number of computing threads. Threads: any. */
LQ_API lq_status lq_context_threads(uint32_t* out, const lq_context* context) LQ_NOEXCEPT;

/* The message of the last call that failed on this context; "" if none. Threads: any. */
LQ_API lq_status lq_context_error(char* out, size_t capacity, size_t* length, const lq_context* context) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
