/* Contexts, cancel handles, models, tokens, chat templates, embedders. */
#include <stdlib.h>
#include <string.h>

#include "util.h"

static void free_context(void* p) { lq_context_free(p); }
static void free_cancel(void* p) { lq_cancel_free(p); }
static void free_model(void* p) { lq_model_free(p); }
static void free_embedder(void* p) { lq_embedder_free(p); }
static void free_adapter(void* p) { lq_adapter_free(p); }

/* context({ threads, spinUs, isa }) */
static napi_value context(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  lq_context_options options = LQ_CONTEXT_OPTIONS_INIT;
  options.threads = lqn_u32(env, argv[0], "threads");
  options.spin_us = lqn_u32(env, argv[0], "spinUs");
  napi_value isa = lqn_get(env, argv[0], "isa");
  char* name = isa ? lqn_string(env, isa, NULL) : NULL;
  if (isa && !name) return NULL;
  options.isa = name;
  lq_context* made = NULL;
  lq_status status = lq_context_create(&made, &options);
  free(name);
  return lqn_ok(env, status) ? lqn_wrap(env, made, free_context) : NULL;
}

/* contextInfo(context) -> { threads, isa } */
static napi_value context_info(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out;
  uint32_t threads = 0;
  const char* isa = NULL;
  if (!lqn_args(env, info, argv)) return NULL;
  lq_context* c = lqn_unwrap(env, argv[0]);
  if (!lqn_ok(env, lq_context_threads(&threads, c)) || !lqn_ok(env, lq_context_isa(&isa, c))) return NULL;
  if (napi_create_object(env, &out) != napi_ok) return NULL;
  lqn_set_number(env, out, "threads", threads);
  lqn_set(env, out, "isa", lqn_text(env, isa, strlen(isa)));
  return out;
}

static napi_value cancel(napi_env env, napi_callback_info info) {
  (void)info;
  lq_cancel* made = NULL;
  return lqn_ok(env, lq_cancel_create(&made)) ? lqn_wrap(env, made, free_cancel) : NULL;
}

static napi_value cancel_trigger(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (lqn_args(env, info, argv)) lqn_ok(env, lq_cancel_trigger(lqn_unwrap(env, argv[0])));
  return NULL;
}

/* ---- Loading --------------------------------------------------------------------------------------------------------- */

typedef struct Load {
  char* source; /* or the bytes of a buffer, which the job's arguments keep alive: */
  const void* bytes;
  size_t size;
  lq_model_options options;
} Load;

static void load_run(lqn_job* job) {
  Load* load = job->state;
  lq_model* made = NULL;
  job->status = load->source ? lq_model_load(&made, job->handle, load->source, &load->options)
                             : lq_model_load_memory(&made, job->handle, load->bytes, load->size, &load->options);
  job->data = made;
}

static napi_value load_done(napi_env env, lqn_job* job) {
  void* made = job->data;
  job->data = NULL;
  return lqn_wrap(env, made, free_model);
}

static void load_release(lqn_job* job) {
  Load* load = job->state;
  if (load) free(load->source);
  free(load);
  lq_model_free(job->data);
}

/* load(context, source or bytes, { compute, vocabOnly, privateCopy, memoryCap }, cancel) -> promise of a model */
static napi_value load(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  napi_valuetype type;
  if (!lqn_args(env, info, argv)) return NULL;
  lqn_job* job = lqn_job_new();
  Load* state = calloc(1, sizeof *state);
  if (!job || !state) {
    free(job);
    free(state);
    return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory to load a model");
  }
  job->handle = lqn_unwrap(env, argv[0]);
  job->state = state;
  job->run = load_run;
  job->done = load_done;
  job->release = load_release;
  state->options = (lq_model_options)LQ_MODEL_OPTIONS_INIT;
  state->options.compute = lqn_i32(env, argv[2], "compute");
  state->options.vocab_only = lqn_i32(env, argv[2], "vocabOnly");
  state->options.private_copy = lqn_i32(env, argv[2], "privateCopy");
  state->options.memory_cap = lqn_u64(env, argv[2], "memoryCap");
  state->options.cancel = lqn_unwrap(env, argv[3]);
  void* bytes = NULL;
  bool ready = napi_typeof(env, argv[1], &type) == napi_ok;
  if (ready && type == napi_string)
    ready = (state->source = lqn_string(env, argv[1], NULL)) != NULL;
  else
    ready = ready && lqn_elements(env, argv[1], &bytes, &state->size);
  state->bytes = bytes ? bytes : "";
  if (ready) return lqn_job_start(env, job, argv);
  load_release(job);
  free(job);
  return NULL;
}

/* info(model) -> object */
static napi_value model_info(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out, flag;
  if (!lqn_args(env, info, argv)) return NULL;
  lq_model_info i = LQ_MODEL_INFO_INIT;
  if (!lqn_ok(env, lq_model_get_info(&i, lqn_unwrap(env, argv[0]), NULL))) return NULL;
  if (napi_create_object(env, &out) != napi_ok) return NULL;
  lqn_set(env, out, "architecture", lqn_text(env, i.architecture, strlen(i.architecture)));
  lqn_set(env, out, "name", lqn_text(env, i.name, strlen(i.name)));
  if (napi_get_boolean(env, i.has_chat_template != 0, &flag) == napi_ok) lqn_set(env, out, "hasChatTemplate", flag);
  const struct {
    const char* name;
    double value;
  } numbers[] = {{"vocabSize", i.n_vocab},
                 {"layers", i.n_layer},
                 {"width", i.d_model},
                 {"heads", i.n_head},
                 {"kvHeads", i.n_kv_head},
                 {"headDim", i.head_dim},
                 {"ffWidth", i.d_ff},
                 {"trainedContext", i.n_ctx_train},
                 {"parameters", (double)i.n_params},
                 {"fileBytes", (double)i.file_bytes},
                 {"weightBytes", (double)i.weight_bytes},
                 {"kvBytes", (double)i.kv_bytes},
                 {"workspaceBytes", (double)i.workspace_bytes}};
  for (size_t n = 0; n < sizeof numbers / sizeof *numbers; ++n)
    lqn_set_number(env, out, numbers[n].name, numbers[n].value);
  return out;
}

/* ---- Tokens ---------------------------------------------------------------------------------------------------------- */

/* tokenize(model, text, { addSpecial, parseSpecial }) -> Int32Array */
static napi_value tokenize(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out = NULL;
  size_t length = 0, count = 0;
  if (!lqn_args(env, info, argv)) return NULL;
  char* text = lqn_string(env, argv[1], &length);
  if (!text) return NULL;
  lq_tokenize_options options = LQ_TOKENIZE_OPTIONS_INIT;
  options.add_special = lqn_i32(env, argv[2], "addSpecial");
  options.parse_special = lqn_i32(env, argv[2], "parseSpecial");
  lq_model* model = lqn_unwrap(env, argv[0]);
  /* A token has at least a byte, but for those that are added around the text: one call does, mostly. */
  size_t room = length + 8;
  int32_t* ids = malloc(room * sizeof *ids);
  lq_status status = ids ? lq_tokenize(ids, room, &count, model, text, length, &options) : LQ_ERR_OUT_OF_MEMORY;
  if (status == LQ_ERR_BUFFER_TOO_SMALL) {
    int32_t* more = realloc(ids, count * sizeof *ids);
    if (more) ids = more;
    status = more ? lq_tokenize(ids, count, &count, model, text, length, &options) : LQ_ERR_OUT_OF_MEMORY;
  }
  if (lqn_ok(env, status)) out = lqn_ids(env, ids, count);
  free(ids);
  free(text);
  return out;
}

/* detokenize(model, Int32Array, { renderSpecial }) -> Buffer */
static napi_value detokenize(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out = NULL;
  void* ids;
  size_t count, length = 0;
  if (!lqn_args(env, info, argv) || !lqn_elements(env, argv[1], &ids, &count)) return NULL;
  lq_detokenize_options options = LQ_DETOKENIZE_OPTIONS_INIT;
  options.render_special = lqn_i32(env, argv[2], "renderSpecial");
  lq_model* model = lqn_unwrap(env, argv[0]);
  if (!lqn_ok(env, lq_detokenize(NULL, 0, &length, model, ids, count, &options))) return NULL;
  char* text = malloc(length + 1);
  if (!text) return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for a text");
  if (lqn_ok(env, lq_detokenize(text, length + 1, &length, model, ids, count, &options)))
    napi_create_buffer_copy(env, length, text, NULL, &out);
  free(text);
  return out;
}

/* special(model, role) -> id or -1 */
static napi_value special(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  int32_t id = -1;
  if (!lqn_args(env, info, argv)) return NULL;
  char* role = lqn_string(env, argv[1], NULL);
  if (!role) return NULL;
  bool ok = lqn_ok(env, lq_token_special(&id, lqn_unwrap(env, argv[0]), role));
  free(role);
  return ok ? lqn_number(env, id) : NULL;
}

/* render(model, messages, toolsJson, template or undefined) -> string */
static napi_value render(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs], out = NULL;
  lqn_messages messages;
  size_t source_length = 0, length = 0;
  if (!lqn_args(env, info, argv)) return NULL;
  char* source = NULL;
  if (!lqn_is_null(env, argv[3]) && !(source = lqn_string(env, argv[3], &source_length))) return NULL;
  if (!lqn_messages_read(env, argv[1], argv[2], &messages)) {
    free(source);
    return NULL;
  }
  lq_chat_template* compiled = NULL;
  char* text = NULL;
  if (lqn_ok(env, lq_chat_template_create(&compiled, lqn_unwrap(env, argv[0]), source, source_length)) &&
      lqn_ok(env, lq_chat_render(NULL, 0, &length, compiled, messages.list, messages.count, &messages.chat)) &&
      (text = malloc(length + 1)) != NULL &&
      lqn_ok(env,
             lq_chat_render(text, length + 1, &length, compiled, messages.list, messages.count, &messages.chat)))
    out = lqn_text(env, text, length);
  free(text);
  lq_chat_template_free(compiled);
  lqn_messages_free(&messages);
  free(source);
  return out;
}

/* ---- Embedders --------------------------------------------------------------------------------------------------------- */

/* embedder(model, { maxTokens, batchTokens, raw, pooling }) */
static napi_value embedder(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  lq_embedder_options options = LQ_EMBEDDER_OPTIONS_INIT;
  options.max_tokens = lqn_u32(env, argv[1], "maxTokens");
  options.batch_tokens = lqn_u32(env, argv[1], "batchTokens");
  options.raw = lqn_i32(env, argv[1], "raw");
  napi_value pooling = lqn_get(env, argv[1], "pooling");
  char* name = pooling ? lqn_string(env, pooling, NULL) : NULL;
  if (pooling && !name) return NULL;
  options.pooling = name;
  lq_embedder* made = NULL;
  lq_status status = lq_embedder_create(&made, lqn_unwrap(env, argv[0]), &options);
  free(name);
  return lqn_ok(env, status) ? lqn_wrap(env, made, free_embedder) : NULL;
}

static napi_value embedder_dimension(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  uint32_t dimension = 0;
  if (!lqn_args(env, info, argv)) return NULL;
  return lqn_ok(env, lq_embedder_dimension(&dimension, lqn_unwrap(env, argv[0]))) ? lqn_number(env, dimension) : NULL;
}

typedef struct Texts {
  char** list;
  size_t* lengths;
  size_t count;
  lq_cancel* cancel;
} Texts;

static void embed_run(lqn_job* job) {
  Texts* texts = job->state;
  const char* const* list = (const char* const*)texts->list;
  job->status = lq_embedder_embed(NULL, 0, &job->count, job->handle, list, texts->lengths, texts->count, NULL);
  if (job->status != LQ_OK) return;
  job->data = malloc((job->count + 1) * sizeof(float));
  if (!job->data) return lqn_job_no_memory(job);
  job->status = lq_embedder_embed(job->data, job->count, &job->count, job->handle, list, texts->lengths, texts->count,
                                  texts->cancel);
}

/* All vectors, one after another: a Float32Array. */
static napi_value embed_done(napi_env env, lqn_job* job) {
  void* data;
  napi_value buffer, out = NULL;
  if (napi_create_arraybuffer(env, job->count * sizeof(float), &data, &buffer) != napi_ok) return NULL;
  if (job->count) memcpy(data, job->data, job->count * sizeof(float));
  napi_create_typedarray(env, napi_float32_array, job->count, buffer, 0, &out);
  return out;
}

static void embed_release(lqn_job* job) {
  Texts* texts = job->state;
  for (size_t i = 0; texts && i < texts->count; ++i) free(texts->list[i]);
  if (texts) {
    free(texts->list);
    free(texts->lengths);
  }
  free(texts);
  free(job->data);
}

static bool read_texts(napi_env env, napi_value list, Texts* texts) {
  uint32_t count = 0;
  napi_value item;
  if (napi_get_array_length(env, list, &count) != napi_ok) return false;
  texts->list = calloc((size_t)count + 1, sizeof *texts->list);
  texts->lengths = calloc((size_t)count + 1, sizeof *texts->lengths);
  if (!texts->list || !texts->lengths) return false;
  for (; texts->count < count; ++texts->count) {
    if (napi_get_element(env, list, (uint32_t)texts->count, &item) != napi_ok) return false;
    texts->list[texts->count] = lqn_string(env, item, &texts->lengths[texts->count]);
    if (!texts->list[texts->count]) return false;
  }
  return true;
}

/* embed(embedder, texts, cancel) -> promise */
static napi_value embed(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  lqn_job* job = lqn_job_new();
  Texts* texts = calloc(1, sizeof *texts);
  if (job && texts) {
    job->handle = lqn_unwrap(env, argv[0]);
    job->state = texts;
    job->run = embed_run;
    job->done = embed_done;
    job->release = embed_release;
    texts->cancel = lqn_unwrap(env, argv[2]);
    if (read_texts(env, argv[1], texts)) return lqn_job_start(env, job, argv);
    embed_release(job);
    texts = NULL;
  }
  free(texts);
  free(job);
  return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for the texts");
}

/* adapter(model, path) */
static napi_value adapter(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  if (!lqn_args(env, info, argv)) return NULL;
  char* path = lqn_string(env, argv[1], NULL);
  if (!path) return NULL;
  lq_adapter* made = NULL;
  lq_status status = lq_adapter_load(&made, lqn_unwrap(env, argv[0]), path);
  free(path);
  return lqn_ok(env, status) ? lqn_wrap(env, made, free_adapter) : NULL;
}

void lqn_export_model(napi_env env, napi_value exports) {
  static const lqn_export list[] = {
      {"context", context},       {"contextInfo", context_info}, {"cancel", cancel},
      {"trigger", cancel_trigger}, {"load", load},               {"info", model_info},
      {"tokenize", tokenize},     {"detokenize", detokenize},    {"special", special},
      {"render", render},         {"embedder", embedder},        {"dimension", embedder_dimension},
      {"embed", embed},           {"adapter", adapter}};
  lqn_export_all(env, exports, list, sizeof list / sizeof *list);
}
