#include "util.h"

#include <stdlib.h>
#include <string.h>

bool lqn_args(napi_env env, napi_callback_info info, napi_value* argv) {
  size_t n = kMaxArgs;
  return napi_get_cb_info(env, info, &n, argv, NULL, NULL) == napi_ok;
}

/* ---- Errors ------------------------------------------------------------------------------------------------------- */

static void drop_class(napi_env env, void* data, void* hint) {
  (void)hint;
  napi_delete_reference(env, (napi_ref)data);
}

napi_value lqn_set_error_class(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  napi_ref ref;
  if (lqn_args(env, info, argv) && napi_create_reference(env, argv[0], 1, &ref) == napi_ok)
    napi_set_instance_data(env, ref, drop_class, NULL);
  return NULL;
}

napi_value lqn_error(napi_env env, lq_status status, const char* message) {
  napi_value argv[2], make, error = NULL;
  void* ref = NULL;
  argv[0] = lqn_text(env, lq_status_name(status), strlen(lq_status_name(status)));
  argv[1] = lqn_text(env, message, strlen(message));
  if (napi_get_instance_data(env, &ref) == napi_ok && ref &&
      napi_get_reference_value(env, (napi_ref)ref, &make) == napi_ok)
    napi_new_instance(env, make, 2, argv, &error);
  return error;
}

napi_value lqn_throw(napi_env env, lq_status status, const char* message) {
  napi_value error = lqn_error(env, status, message);
  if (error) napi_throw(env, error);
  return NULL;
}

bool lqn_ok(napi_env env, lq_status status) {
  if (status == LQ_OK) return true;
  lqn_throw(env, status, lq_last_error());
  return false;
}

/* ---- Handles ------------------------------------------------------------------------------------------------------ */

typedef struct Holder {
  void* handle;
  lqn_free_fn release;
} Holder;

static void collect(napi_env env, void* data, void* hint) {
  (void)env;
  (void)hint;
  Holder* holder = data;
  if (holder->handle) holder->release(holder->handle);
  free(holder);
}

napi_value lqn_wrap(napi_env env, void* handle, lqn_free_fn release) {
  napi_value value;
  Holder* holder = malloc(sizeof *holder);
  if (holder) {
    holder->handle = handle;
    holder->release = release;
    if (napi_create_external(env, holder, collect, NULL, &value) == napi_ok) return value;
  }
  free(holder);
  release(handle);
  return lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for a handle");
}

void* lqn_unwrap(napi_env env, napi_value value) {
  napi_valuetype type;
  void* data = NULL;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external) return NULL;
  if (napi_get_value_external(env, value, &data) != napi_ok || !data) return NULL;
  return ((Holder*)data)->handle;
}

napi_value lqn_close(napi_env env, napi_callback_info info) {
  napi_value argv[kMaxArgs];
  void* data = NULL;
  if (!lqn_args(env, info, argv) || napi_get_value_external(env, argv[0], &data) != napi_ok) return NULL;
  Holder* holder = data;
  if (holder->handle) holder->release(holder->handle);
  holder->handle = NULL;
  return NULL;
}

/* ---- Values ------------------------------------------------------------------------------------------------------- */

bool lqn_is_null(napi_env env, napi_value value) {
  napi_valuetype type;
  return !value || napi_typeof(env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

char* lqn_string(napi_env env, napi_value value, size_t* length) {
  size_t n = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &n) != napi_ok) {
    lqn_throw(env, LQ_ERR_INVALID_ARGUMENT, "expected a string");
    return NULL;
  }
  char* text = malloc(n + 1);
  if (!text) {
    lqn_throw(env, LQ_ERR_OUT_OF_MEMORY, "no memory for a string");
    return NULL;
  }
  napi_get_value_string_utf8(env, value, text, n + 1, &n);
  if (length) *length = n;
  return text;
}

bool lqn_elements(napi_env env, napi_value value, void** data, size_t* count) {
  bool typed = false;
  napi_value buffer;
  size_t offset;
  napi_typedarray_type type;
  *data = NULL;
  *count = 0;
  if (napi_is_typedarray(env, value, &typed) == napi_ok && typed &&
      napi_get_typedarray_info(env, value, &type, count, data, &buffer, &offset) == napi_ok)
    return true;
  lqn_throw(env, LQ_ERR_INVALID_ARGUMENT, "expected a typed array");
  return false;
}

napi_value lqn_ids(napi_env env, const int32_t* ids, size_t count) {
  void* data;
  napi_value buffer, out = NULL;
  if (napi_create_arraybuffer(env, count * sizeof *ids, &data, &buffer) != napi_ok) return NULL;
  if (count) memcpy(data, ids, count * sizeof *ids);
  napi_create_typedarray(env, napi_int32_array, count, buffer, 0, &out);
  return out;
}

napi_value lqn_text(napi_env env, const char* text, size_t length) {
  napi_value out = NULL;
  napi_create_string_utf8(env, text ? text : "", text ? length : 0, &out);
  return out;
}

napi_value lqn_number(napi_env env, double value) {
  napi_value out = NULL;
  napi_create_double(env, value, &out);
  return out;
}

/* ---- Members of objects -------------------------------------------------------------------------------------------- */

napi_value lqn_get(napi_env env, napi_value object, const char* name) {
  napi_value value;
  if (lqn_is_null(env, object) || napi_get_named_property(env, object, name, &value) != napi_ok) return NULL;
  return lqn_is_null(env, value) ? NULL : value;
}

double lqn_double(napi_env env, napi_value object, const char* name) {
  napi_value value = lqn_get(env, object, name);
  double out = 0;
  if (value) napi_get_value_double(env, value, &out);
  return out;
}

uint32_t lqn_u32(napi_env env, napi_value object, const char* name) { return (uint32_t)lqn_double(env, object, name); }
int32_t lqn_i32(napi_env env, napi_value object, const char* name) { return (int32_t)lqn_double(env, object, name); }

uint64_t lqn_u64(napi_env env, napi_value object, const char* name) {
  napi_value value = lqn_get(env, object, name);
  uint64_t out = 0;
  bool lossless;
  if (value) napi_get_value_bigint_uint64(env, value, &out, &lossless);
  return out;
}

void lqn_set(napi_env env, napi_value object, const char* name, napi_value value) {
  if (value) napi_set_named_property(env, object, name, value);
}

void lqn_set_number(napi_env env, napi_value object, const char* name, double value) {
  lqn_set(env, object, name, lqn_number(env, value));
}

void lqn_export_all(napi_env env, napi_value exports, const lqn_export* list, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    napi_value function;
    if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].function, NULL, &function) == napi_ok)
      lqn_set(env, exports, list[i].name, function);
  }
}
