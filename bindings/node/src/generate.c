/* Generation: start() takes prompt and options over, step() does a slice of the work beside the event loop. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* ---- Conversations ---------------------------------------------------------------------------------------------------- */

static bool read_message(napi_env env, napi_value item, lq_message* out) {
  napi_value extra = lqn_get(env, item, "extraJson"), role = lqn_get(env, item, "role");
  napi_value content = lqn_get(env, item, "content");
  *out = (lq_message)LQ_MESSAGE_INIT;
  if (!role || !(out->role = lqn_string(env, role, NULL))) return false;
  if (content && !(out->content = lqn_string(env, content, &out->content_length))) return false;
  return !extra || (out->extra_json = lqn_string(env, extra, &out->extra_json_length)) != NULL;
}

bool lqn_messages_read(napi_env env, napi_value list, napi_value tools_json, lqn_messages* out) {
  uint32_t count = 0;
  napi_value item;
  *out = (lqn_messages){NULL, 0, LQ_CHAT_OPTIONS_INIT};
  bool ok = napi_get_array_length(env, list, &count) == napi_ok &&
            (out->list = calloc((size_t)count + 1, sizeof *out->list)) != NULL;
  while (ok && out->count < count) {
    ok = napi_get_element(env, list, (uint32_t)out->count, &item) == napi_ok;
    ok = ok && read_message(env, item, &out->list[out->count]);
    ++out->count;
  }
  if (ok && !lqn_is_null(env, tools_json))
    ok = (out->chat.tools_json = lqn_string(env, tools_json, &out->chat.tools_json_length)) != NULL;
  if (!ok) lqn_messages_free(out);
  return ok;
}

void lqn_messages_free(lqn_messages* messages) {
  for (size_t i = 0; i < messages->count; ++i) {
    free((char*)messages->list[i].role);
    free((char*)messages->list[i].content);
    free((char*)messages->list[i].extra_json);
  }
  free(messages->list);
  free((char*)messages->chat.tools_json);
  *messages = (lqn_messages){NULL, 0, LQ_CHAT_OPTIONS_INIT};
}

/* ---- start ------------------------------------------------------------------------------------------------------------- */

typedef struct Start {
  char* text; /* a prompt as text, or */
  size_t length;
  int32_t* ids; /* as tokens, or */
  size_t count;
  lqn_messages messages; /* as a conversation, or none of them: go on from what the session holds */
  lq_generate_options options;
  char** stop;
  int32_t* stop_tokens;
} Start;

static void start_run(lqn_job* job) {
  Start* s = job->state;
  if (s->messages.list)
    job->status = lq_session_start_chat(job->handle, s->messages.list, s->messages.count, &s->messages.chat, &s->options);
  else if (s->ids)
    job->status = lq_session_start_tokens(job->handle, s->ids, s->count, &s->options);
  else
    job->status = lq_session_start(job->handle, s->text, s->length, &s->options);
}

static void start_free(Start* s) {
  free(s->text);
  free(s->ids);
  lqn_messages_free(&s->messages);
  for (size_t i = 0; s->stop && i < s->options.stop_count; ++i) free(s->stop[i]);
  free(s->stop);
  free(s->stop_tokens);
  lq_sampler_free((lq_sampler*)s->options.sampler);
  free(s);
}

static void start_release(lqn_job* job) { start_free(job->state); }

static int32_t* copy_ids(napi_env env, napi_value value, size_t* count) {
  void* ids;
  if (!lqn_elements(env, value, &ids, count)) return NULL;
  int32_t* copy = malloc((*count + 1) * sizeof *copy);
  if (!copy) {
    lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for tokens");
    return NULL;
  }
  if (*count) memcpy(copy, ids, *count * sizeof *copy);
  return copy;
}

static bool read_prompt(napi_env env, napi_value prompt, napi_value tools_json, Start* s) {
  napi_valuetype type;
  bool array = false;
  if (lqn_is_null(env, prompt)) return true;
  if (napi_typeof(env, prompt, &type) != napi_ok) return false;
  if (type == napi_string) return (s->text = lqn_string(env, prompt, &s->length)) != NULL;
  if (napi_is_array(env, prompt, &array) == napi_ok && array)
    return lqn_messages_read(env, prompt, tools_json, &s->messages);
  return (s->ids = copy_ids(env, prompt, &s->count)) != NULL;
}

static bool read_stop(napi_env env, napi_value list, Start* s) {
  uint32_t count = 0;
  napi_value item;
  if (!list) return true;
  if (napi_get_array_length(env, list, &count) != napi_ok || !(s->stop = calloc((size_t)count + 1, sizeof *s->stop)))
    return false;
  s->options.stop = (const char* const*)s->stop;
  for (uint32_t i = 0; i < count; ++i) {
    if (napi_get_element(env, list, i, &item) != napi_ok || !(s->stop[i] = lqn_string(env, item, NULL))) return false;
    s->options.stop_count = i + 1;
  }
  return true;
}

/* The stages that lib/ names, in its order: [[name, value], ...]. */
static bool read_sampler(napi_env env, napi_value stages, napi_value options, Start* s) {
  uint32_t count = 0;
  lq_sampler* sampler = NULL;
  if (!stages || napi_get_array_length(env, stages, &count) != napi_ok || count == 0) return true;
  if (!lqn_ok(env, lq_sampler_create(&sampler))) return false;
  s->options.sampler = sampler;
  for (uint32_t i = 0; i < count; ++i) {
    napi_value pair, name, value;
    double number = NAN;
    if (napi_get_element(env, stages, i, &pair) != napi_ok || napi_get_element(env, pair, 0, &name) != napi_ok ||
        napi_get_element(env, pair, 1, &value) != napi_ok)
      return false;
    char* stage = lqn_string(env, name, NULL);
    if (!stage) return false;
    napi_get_value_double(env, value, &number);
    bool ok = lqn_ok(env, lq_sampler_add(sampler, stage, number));
    free(stage);
    if (!ok) return false;
  }
  return lqn_ok(env, lq_sampler_seed(sampler, lqn_u64(env, options, "seed")));
}

static bool read_options(napi_env env, napi_value options, Start* s) {
  s->options.max_tokens = lqn_u32(env, options, "maxTokens");
  s->options.logprobs = lqn_u32(env, options, "logprobs");
  s->options.ignore_end = lqn_i32(env, options, "ignoreEnd");
  s->options.append = lqn_i32(env, options, "append");
  s->options.parse_special = lqn_i32(env, options, "parseSpecial");
  s->options.no_begin = lqn_i32(env, options, "noBegin");
  s->options.lookup = lqn_i32(env, options, "lookup");
  napi_value stop_tokens = lqn_get(env, options, "stopTokens");
  if (stop_tokens && !(s->stop_tokens = copy_ids(env, stop_tokens, &s->options.stop_token_count))) return false;
  s->options.stop_tokens = s->stop_tokens;
  return read_stop(env, lqn_get(env, options, "stop"), s) &&
         read_sampler(env, lqn_get(env, options, "stages"), options, s);
}

/* start(session, prompt, options, cancel) -> promise; prompt: undefined, string, Int32Array, or an array of messages */
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  lqn_job* job = lqn_job_new();
  Start* s = calloc(1, sizeof *s);
  if (!job || !s) {
    free(job);
    free(s);
    return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for a prompt");
  }
  s->options = (lq_generate_options)LQ_GENERATE_OPTIONS_INIT;
  s->options.cancel = lqn_unwrap(env, argv[3]);
  job->handle = lqn_unwrap(env, argv[0]);
  job->state = s;
  job->run = start_run;
  job->release = start_release;
  napi_value tools_json = lqn_get(env, argv[2], "toolsJson");
  if (read_options(env, argv[2], s) && read_prompt(env, argv[1], tools_json, s)) return lqn_job_start(env, job, argv);
  start_free(s);
  free(job);
  return NULL;
}

/* ---- step -------------------------------------------------------------------------------------------------------------- */

typedef struct Step {
  lq_event event;
  char* text; /* copies: what the event points at lives until the next call on the session */
  lq_logprob* top;
} Step;

static void step_run(lqn_job* job) {
  Step* s = job->state;
  uint64_t budget = job->number < 0 ? LQ_BUDGET_NONE : (uint64_t)job->number;
  job->status = lq_session_step(&s->event, job->handle, budget);
  if (job->status != LQ_OK) return;
  const size_t top_bytes = s->event.top_count * sizeof *s->top;
  s->text = malloc(s->event.text_length + 1);
  s->top = malloc(top_bytes + 1);
  if (!s->text || !s->top) return lqn_job_no_memory(job);
  if (s->event.text_length) memcpy(s->text, s->event.text, s->event.text_length);
  if (top_bytes) memcpy(s->top, s->event.top, top_bytes);
}

static napi_value top_list(napi_env env, const Step* s) {
  napi_value list, entry;
  if (napi_create_array_with_length(env, s->event.top_count, &list) != napi_ok) return NULL;
  for (size_t i = 0; i < s->event.top_count; ++i) {
    if (napi_create_object(env, &entry) != napi_ok) return NULL;
    lqn_set_number(env, entry, "token", s->top[i].token);
    lqn_set_number(env, entry, "logprob", s->top[i].logprob);
    napi_set_element(env, list, (uint32_t)i, entry);
  }
  return list;
}

static napi_value step_done(napi_env env, lqn_job* job) {
  static const char* const kinds[] = {"working", "token", "done"};
  Step* s = job->state;
  const lq_event* e = &s->event;
  napi_value out;
  if (napi_create_object(env, &out) != napi_ok) return NULL;
  lqn_set(env, out, "kind", lqn_text(env, kinds[e->kind], strlen(kinds[e->kind])));
  lqn_set(env, out, "text", lqn_text(env, s->text, e->text_length));
  lqn_set_number(env, out, "promptDone", e->prompt_done);
  lqn_set_number(env, out, "promptTotal", e->prompt_total);
  if (e->kind == LQ_EVENT_TOKEN) {
    lqn_set_number(env, out, "token", e->token);
    lqn_set_number(env, out, "index", e->index);
    if (!isnan(e->logprob)) lqn_set_number(env, out, "logprob", e->logprob);
    if (e->top_count) lqn_set(env, out, "top", top_list(env, s));
  } else if (e->kind == LQ_EVENT_DONE) {
    const char* name = lq_finish_name((lq_finish)e->finish);
    lqn_set(env, out, "finishReason", lqn_text(env, name, strlen(name)));
  }
  return out;
}

static void step_release(lqn_job* job) {
  Step* s = job->state;
  free(s->text);
  free(s->top);
  free(s);
}

/* step(session, budget in microseconds or -1) -> promise of an event */
static napi_value step(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  lqn_job* job = lqn_job_new();
  Step* s = calloc(1, sizeof *s);
  if (!job || !s) {
    free(job);
    free(s);
    return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for a step");
  }
  s->event = (lq_event)LQ_EVENT_INIT;
  job->number = -1;
  napi_get_value_double(env, argv[1], &job->number);
  job->handle = lqn_unwrap(env, argv[0]);
  job->state = s;
  job->run = step_run;
  job->done = step_done;
  job->release = step_release;
  return lqn_job_start(env, job, argv);
}

/* result(session) -> the figures of the last generation, its text and tokens */
static napi_value result(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out;
  const char* text = NULL;
  const int32_t* ids = NULL;
  size_t length = 0, count = 0;
  if (!lqn_args(env, info, argv)) return NULL;
  lq_session* s = lqn_unwrap(env, argv[0]);
  lq_result r = LQ_RESULT_INIT;
  if (!lqn_ok(env, lq_session_result(&r, s)) || napi_create_object(env, &out) != napi_ok) return NULL;
  if (!lqn_ok(env, lq_session_output(&text, &length, s))) return NULL;
  lqn_set(env, out, "text", lqn_text(env, text, length));
  if (!lqn_ok(env, lq_session_output_tokens(&ids, &count, s))) return NULL;
  lqn_set(env, out, "tokens", lqn_ids(env, ids, count));
  const char* finish = lq_finish_name((lq_finish)r.finish);
  lqn_set(env, out, "finishReason", lqn_text(env, finish, strlen(finish)));
  const struct {
    const char* name;
    double value;
  } numbers[] = {{"promptTokens", r.prompt_tokens},     {"reusedTokens", r.reused_tokens},
                 {"generatedTokens", r.generated_tokens}, {"loadMs", r.load_ms},
                 {"prefillMs", r.prefill_ms},           {"decodeMs", r.decode_ms},
                 {"firstTokenMs", r.first_token_ms},    {"prefillTps", r.prefill_tps},
                 {"decodeTps", r.decode_tps},           {"draftedTokens", r.drafted_tokens},
                 {"acceptedTokens", r.accepted_tokens}};
  for (size_t n = 0; n < sizeof numbers / sizeof *numbers; ++n)
    lqn_set_number(env, out, numbers[n].name, numbers[n].value);
  return out;
}

void lqn_export_generate(napi_env env, napi_value exports) {
  static const lqn_export list[] = {{"start", start}, {"step", step}, {"result", result}};
  lqn_export_all(env, exports, list, sizeof list / sizeof *list);
}
