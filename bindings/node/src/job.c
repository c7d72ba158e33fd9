/* Work on a thread of Node's pool. The promise is settled on the event loop; errors are taken where they happened, since
 * lq_last_error() belongs to a thread. */
#include <stdio.h>
#include <stdlib.h>

#include "util.h"

lqn_job* lqn_job_new(void) { return calloc(1, sizeof(lqn_job)); }

void lqn_job_no_memory(lqn_job* job) {
  job->status = LQ_ERR_OUT_OF_MEMORY;
  snprintf(job->message, sizeof job->message, "no memory for the result");
}

static void execute(napi_env env, void* data) {
  (void)env;
  lqn_job* job = data;
  job->run(job);
  if (job->status != LQ_OK && !job->message[0])
    snprintf(job->message, sizeof job->message, "%s", lq_last_error());
}

static void drop(napi_env env, lqn_job* job) {
  if (job->release) job->release(job);
  if (job->arguments) napi_delete_reference(env, job->arguments);
  if (job->work) napi_delete_async_work(env, job->work);
  free(job);
}

static void complete(napi_env env, napi_status status, void* data) {
  lqn_job* job = data;
  napi_value value = NULL;
  if (status != napi_ok) {
    value = lqn_error(env, LQ_ERR_CANCELLED, "Node is ending");
    job->status = LQ_ERR_CANCELLED;
  } else if (job->status != LQ_OK) {
    value = lqn_error(env, job->status, job->message);
  } else if (job->done) {
    value = job->done(env, job);
  }
  if (!value) napi_get_undefined(env, &value);
  if (job->status == LQ_OK)
    napi_resolve_deferred(env, job->deferred, value);
  else
    napi_reject_deferred(env, job->deferred, value);
  drop(env, job);
}

napi_value lqn_job_start(napi_env env, lqn_job* job, const napi_value* argv) {
  napi_value promise, name, kept;
  bool ready = napi_create_array_with_length(env, kMaxArgs, &kept) == napi_ok;
  for (uint32_t i = 0; ready && i < kMaxArgs; ++i) ready = napi_set_element(env, kept, i, argv[i]) == napi_ok;
  ready = ready && napi_create_reference(env, kept, 1, &job->arguments) == napi_ok &&
          napi_create_string_utf8(env, "loquor", NAPI_AUTO_LENGTH, &name) == napi_ok &&
          napi_create_async_work(env, NULL, name, execute, complete, job, &job->work) == napi_ok &&
          napi_create_promise(env, &job->deferred, &promise) == napi_ok;
  if (ready && napi_queue_async_work(env, job->work) == napi_ok) return promise;
  drop(env, job);
  return lqn_throw(env, LQ_ERR_INTERNAL, "the work could not be given to Node");
}
