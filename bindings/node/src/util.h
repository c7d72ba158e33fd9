/* What the parts of the addon share: arguments, options, errors, handles, work beside the event loop. Every function with
 * a JavaScript signature is called only by lib/ (index.js and its files), which checks types and names of options. */
#ifndef LOQUOR_NODE_UTIL_H
#define LOQUOR_NODE_UTIL_H

#define NAPI_VERSION 8
#include <loquor.h>
#include <node_api.h>
#include <stdbool.h>

enum { kMaxArgs = 8, kMessage = 1024 };

/* Fills argv, which has kMaxArgs places; those not given are undefined. */
bool lqn_args(napi_env env, napi_callback_info info, napi_value* argv);

/* ---- Errors: the JavaScript class that lib/errors.js registers ---------------------------------------------------- */

napi_value lqn_set_error_class(napi_env env, napi_callback_info info);
napi_value lqn_error(napi_env env, lq_status status, const char* message);
/* Throws if status is not LQ_OK; then false. Call it on the thread of the failing call. */
bool lqn_ok(napi_env env, lq_status status);
/* Throws `message`; returns NULL. */
napi_value lqn_throw(napi_env env, lq_status status, const char* message);

/* ---- Handles: externals that free what they hold when they are collected ------------------------------------------- */

typedef void (*lqn_free_fn)(void* handle);
napi_value lqn_wrap(napi_env env, void* handle, lqn_free_fn release);
/* NULL for undefined, null and a closed handle: the C interface answers those with an error. */
void* lqn_unwrap(napi_env env, napi_value value);
napi_value lqn_close(napi_env env, napi_callback_info info);

/* ---- Values --------------------------------------------------------------------------------------------------------- */

bool lqn_is_null(napi_env env, napi_value value); /* undefined or null */
/* A copy, to be given to free(); NULL after an exception. `length` may be NULL. */
char* lqn_string(napi_env env, napi_value value, size_t* length);
/* The elements of an Int32Array, or the bytes of a Buffer, borrowed from it. */
bool lqn_elements(napi_env env, napi_value value, void** data, size_t* count);
napi_value lqn_ids(napi_env env, const int32_t* ids, size_t count); /* an Int32Array */
napi_value lqn_text(napi_env env, const char* text, size_t length);
napi_value lqn_number(napi_env env, double value);

/* Members of an options object; 0 or NULL where there is none. */
napi_value lqn_get(napi_env env, napi_value object, const char* name); /* NULL: not there */
uint32_t lqn_u32(napi_env env, napi_value object, const char* name);
int32_t lqn_i32(napi_env env, napi_value object, const char* name);
uint64_t lqn_u64(napi_env env, napi_value object, const char* name); /* a BigInt */
double lqn_double(napi_env env, napi_value object, const char* name);
void lqn_set(napi_env env, napi_value object, const char* name, napi_value value);
void lqn_set_number(napi_env env, napi_value object, const char* name, double value);

/* ---- Jobs: work on a thread of Node's pool, with a promise ------------------------------------------------------------ */

typedef struct lqn_job lqn_job;
struct lqn_job {
  /* Set by the caller. run() is on another thread and has no napi_env; done() turns what it made into a value. */
  void (*run)(lqn_job* job);
  napi_value (*done)(napi_env env, lqn_job* job); /* NULL: undefined */
  void (*release)(lqn_job* job);                  /* frees what the job owns, after either; may be NULL */
  void* handle;                                   /* what it works on */
  void* state;                                    /* what else it needs */
  /* Results. */
  lq_status status;
  char message[kMessage];
  void* data;
  size_t count;
  double number;
  /* The machinery's. */
  napi_async_work work;
  napi_deferred deferred;
  napi_ref arguments;
};

lqn_job* lqn_job_new(void);
/* In run(): there is no memory for its result. */
void lqn_job_no_memory(lqn_job* job);
/* Starts it; argv is kept alive until it is over. Returns the promise, or NULL with an exception. Takes the job over. */
napi_value lqn_job_start(napi_env env, lqn_job* job, const napi_value* argv);

typedef struct lqn_export {
  const char* name;
  napi_callback function;
} lqn_export;
void lqn_export_all(napi_env env, napi_value exports, const lqn_export* list, size_t count);

void lqn_export_model(napi_env env, napi_value exports);
void lqn_export_session(napi_env env, napi_value exports);
void lqn_export_generate(napi_env env, napi_value exports);

/* The options and messages of a conversation, from a list of { role, content, extraJson }; freed as a whole. */
typedef struct lqn_messages {
  lq_message* list;
  size_t count;
  lq_chat_options chat;
} lqn_messages;
bool lqn_messages_read(napi_env env, napi_value list, napi_value tools_json, lqn_messages* out);
void lqn_messages_free(lqn_messages* messages);

#endif
