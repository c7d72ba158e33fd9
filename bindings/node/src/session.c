/* Sessions: making them, feeding them, their state; all that computes or writes is a job. */
#include <stdlib.h>
#include <string.h>

#include "util.h"

static void free_session(void* p) { lq_session_free(p); }

/* session(model, { ctx, kvType, overflow, slideKeep, prefillChunk, wipe, memoryCap }) */
static napi_value session(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  lq_session_options options = LQ_SESSION_OPTIONS_INIT;
  options.n_ctx = lqn_u32(env, argv[1], "ctx");
  options.overflow = lqn_i32(env, argv[1], "overflow");
  options.slide_keep = lqn_u32(env, argv[1], "slideKeep");
  options.prefill_chunk = lqn_u32(env, argv[1], "prefillChunk");
  options.wipe = lqn_i32(env, argv[1], "wipe");
  options.memory_cap = lqn_u64(env, argv[1], "memoryCap");
  napi_value kv_type = lqn_get(env, argv[1], "kvType");
  char* name = kv_type ? lqn_string(env, kv_type, NULL) : NULL;
  if (kv_type && !name) return NULL;
  options.kv_type = name;
  lq_session* made = NULL;
  lq_status status = lq_session_create(&made, lqn_unwrap(env, argv[0]), &options);
  free(name);
  return lqn_ok(env, status) ? lqn_wrap(env, made, free_session) : NULL;
}

static napi_value fork_session(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  lq_session* made = NULL;
  if (!lqn_args(env, info, argv) || !lqn_ok(env, lq_session_fork(&made, lqn_unwrap(env, argv[0])))) return NULL;
  return lqn_wrap(env, made, free_session);
}

static napi_value cancel_session(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (lqn_args(env, info, argv)) lqn_ok(env, lq_session_cancel(lqn_unwrap(env, argv[0])));
  return NULL;
}

static napi_value stop_session(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (lqn_args(env, info, argv)) lqn_ok(env, lq_session_stop(lqn_unwrap(env, argv[0])));
  return NULL;
}

static napi_value rewind_session(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  double n = 0;
  if (!lqn_args(env, info, argv)) return NULL;
  napi_get_value_double(env, argv[1], &n);
  lqn_ok(env, lq_session_rewind(lqn_unwrap(env, argv[0]), (size_t)n));
  return NULL;
}

/* sizes(session) -> { length, capacity, memory } */
static napi_value sizes(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out;
  size_t length = 0, capacity = 0;
  uint64_t memory = 0;
  if (!lqn_args(env, info, argv)) return NULL;
  lq_session* s = lqn_unwrap(env, argv[0]);
  if (!lqn_ok(env, lq_session_length(&length, s)) || !lqn_ok(env, lq_session_capacity(&capacity, s)) ||
      !lqn_ok(env, lq_session_memory(&memory, s)) || napi_create_object(env, &out) != napi_ok)
    return NULL;
  lqn_set_number(env, out, "length", (double)length);
  lqn_set_number(env, out, "capacity", (double)capacity);
  lqn_set_number(env, out, "memory", (double)memory);
  return out;
}

/* tokens(session) -> Int32Array */
static napi_value tokens(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out = NULL;
  size_t count = 0;
  if (!lqn_args(env, info, argv)) return NULL;
  lq_session* s = lqn_unwrap(env, argv[0]);
  if (!lqn_ok(env, lq_session_tokens(NULL, 0, &count, s))) return NULL;
  int32_t* ids = malloc((count + 1) * sizeof *ids);
  if (!ids) return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for tokens");
  if (lqn_ok(env, lq_session_tokens(ids, count, &count, s))) out = lqn_ids(env, ids, count);
  free(ids);
  return out;
}

/* logits(session) -> Float32Array, a copy */
static napi_value logits(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], buffer, out = NULL;
  const float* values = NULL;
  size_t count = 0;
  void* data;
  if (!lqn_args(env, info, argv) || !lqn_ok(env, lq_session_logits(&values, &count, lqn_unwrap(env, argv[0]))))
    return NULL;
  if (napi_create_arraybuffer(env, count * sizeof(float), &data, &buffer) != napi_ok) return NULL;
  memcpy(data, values, count * sizeof(float));
  napi_create_typedarray(env, napi_float32_array, count, buffer, 0, &out);
  return out;
}

/* setAdapters(session, [adapter], Float32Array of scales) */
static napi_value set_adapters(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], item;
  uint32_t count = 0;
  void* scales;
  size_t n_scales;
  lq_adapter* list[64];
  if (!lqn_args(env, info, argv) || !lqn_elements(env, argv[2], &scales, &n_scales)) return NULL;
  napi_get_array_length(env, argv[1], &count);
  if (count > 64 || n_scales != count) return lqn_throw(env, LQ_ERR_LIMIT, "more than 64 adapters");
  for (uint32_t i = 0; i < count; ++i)
    list[i] = napi_get_element(env, argv[1], i, &item) == napi_ok ? lqn_unwrap(env, item) : NULL;
  lqn_ok(env, lq_session_set_adapters(lqn_unwrap(env, argv[0]), list, scales, count));
  return NULL;
}

/* ---- Jobs on ids ------------------------------------------------------------------------------------------------------ */

static void release_state(lqn_job* job) { free(job->state); }

static void feed_run(lqn_job* job) { job->status = lq_session_feed(job->handle, job->state, job->count); }

static void prompt_run(lqn_job* job) {
  size_t reused = 0;
  job->status = lq_session_set_prompt(&reused, job->handle, job->state, job->count);
  job->number = (double)reused;
}

static void score_run(lqn_job* job) {
  size_t scored = 0;
  job->status = lq_session_score(&job->number, &scored, job->handle, job->state, job->count);
  job->count = scored;
}

static napi_value number_done(napi_env env, lqn_job* job) { return lqn_number(env, job->number); }

static napi_value score_done(napi_env env, lqn_job* job) {
  napi_value out;
  if (napi_create_object(env, &out) != napi_ok) return NULL;
  lqn_set_number(env, out, "logprob", job->number);
  lqn_set_number(env, out, "tokens", (double)job->count);
  return out;
}

/* (session, Int32Array) -> promise */
static napi_value ids_job(napi_env env, napi_callback_info info, void (*run)(lqn_job*),
                          napi_value (*done)(napi_env, lqn_job*)) {
  napi_value argv[kMaxArgs];
  void* ids;
  size_t count;
  if (!lqn_args(env, info, argv) || !lqn_elements(env, argv[1], &ids, &count)) return NULL;
  lqn_job* job = lqn_job_new();
  int32_t* copy = malloc((count + 1) * sizeof *copy);
  if (!job || !copy) {
    free(job);
    free(copy);
    return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for tokens");
  }
  if (count) memcpy(copy, ids, count * sizeof *copy);
  job->handle = lqn_unwrap(env, argv[0]);
  job->state = copy;
  job->count = count;
  job->run = run;
  job->done = done;
  job->release = release_state;
  return lqn_job_start(env, job, argv);
}

static napi_value feed(napi_env env, napi_callback_info info) { return ids_job(env, info, feed_run, NULL); }
static napi_value set_prompt(napi_env env, napi_callback_info info) {
  return ids_job(env, info, prompt_run, number_done);
}
static napi_value score(napi_env env, napi_callback_info info) { return ids_job(env, info, score_run, score_done); }

/* ---- State ------------------------------------------------------------------------------------------------------------ */

static void save_file_run(lqn_job* job) { job->status = lq_session_save_file(job->handle, job->state); }
static void load_file_run(lqn_job* job) { job->status = lq_session_load_file(job->handle, job->state); }

static void save_run(lqn_job* job) {
  job->status = lq_session_save(NULL, 0, &job->count, job->handle);
  if (job->status != LQ_OK) return;
  job->data = malloc(job->count + 1);
  if (!job->data) return lqn_job_no_memory(job);
  job->status = lq_session_save(job->data, job->count, &job->count, job->handle);
}

static napi_value save_done(napi_env env, lqn_job* job) {
  napi_value out = NULL;
  napi_create_buffer_copy(env, job->count, job->data, NULL, &out);
  return out;
}

static void save_release(lqn_job* job) { free(job->data); }

static void load_run(lqn_job* job) { job->status = lq_session_load(job->handle, job->state, job->count); }

static lqn_job* job_on(napi_env env, napi_value handle, void (*run)(lqn_job*)) {
  lqn_job* job = lqn_job_new();
  if (!job) {
    lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for a job");
    return NULL;
  }
  job->handle = lqn_unwrap(env, handle);
  job->run = run;
  return job;
}

static napi_value file_job(napi_env env, napi_callback_info info, void (*run)(lqn_job*)) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  char* path = lqn_string(env, argv[1], NULL);
  lqn_job* job = path ? job_on(env, argv[0], run) : NULL;
  if (!job) {
    free(path);
    return NULL;
  }
  job->state = path;
  job->release = release_state;
  return lqn_job_start(env, job, argv);
}

static napi_value save_file(napi_env env, napi_callback_info info) { return file_job(env, info, save_file_run); }
static napi_value load_file(napi_env env, napi_callback_info info) { return file_job(env, info, load_file_run); }

static napi_value save(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  lqn_job* job = job_on(env, argv[0], save_run);
  if (!job) return NULL;
  job->done = save_done;
  job->release = save_release;
  return lqn_job_start(env, job, argv);
}

/* loadState(session, Buffer that nobody else writes to) */
static napi_value load_state(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  void* data;
  size_t size;
  if (!lqn_args(env, info, argv) || !lqn_elements(env, argv[1], &data, &size)) return NULL;
  lqn_job* job = job_on(env, argv[0], load_run);
  if (!job) return NULL;
  job->state = data ? data : "";
  job->count = size;
  return lqn_job_start(env, job, argv);
}

void lqn_export_session(napi_env env, napi_value exports) {
  static const lqn_export list[] = {
      {"session", session},      {"fork", fork_session},        {"cancelSession", cancel_session},
      {"stop", stop_session},    {"rewind", rewind_session},    {"sizes", sizes},
      {"tokens", tokens},        {"logits", logits},            {"setAdapters", set_adapters},
      {"feed", feed},            {"setPrompt", set_prompt},     {"score", score},
      {"saveFile", save_file},   {"loadFile", load_file},       {"save", save},
      {"loadState", load_state}};
  lqn_export_all(env, exports, list, sizeof list / sizeof *list);
}
