/* The C interface as a strict C99 program sees it: compiled with -std=c99 -Wall -Wextra -Wpedantic -Werror, and linked
 * with libloquor.so. Exercises every LQ_..._INIT macro and the functions that need no model. */
#include <stdio.h>
#include <string.h>

#include "loquor.h"

static int failures = 0;

static void expect(int ok, const char* what) {
  if (ok) return;
  printf("FAILED: %s (last error: %s)\n", what, lq_last_error());
  ++failures;
}

static void check_initialisers(void) {
  lq_context_options context = LQ_CONTEXT_OPTIONS_INIT;
  lq_model_options model = LQ_MODEL_OPTIONS_INIT;
  lq_model_info info = LQ_MODEL_INFO_INIT;
  lq_inspect_options inspect = LQ_INSPECT_OPTIONS_INIT;
  lq_catalogue_entry entry = LQ_CATALOGUE_ENTRY_INIT;
  lq_tokenize_options tokenize = LQ_TOKENIZE_OPTIONS_INIT;
  lq_detokenize_options detokenize = LQ_DETOKENIZE_OPTIONS_INIT;
  lq_stream_options stream = LQ_STREAM_OPTIONS_INIT;
  lq_message message = LQ_MESSAGE_INIT;
  lq_chat_options chat = LQ_CHAT_OPTIONS_INIT;
  lq_session_options session = LQ_SESSION_OPTIONS_INIT;
  lq_event event = LQ_EVENT_INIT;
  lq_generate_options generate = LQ_GENERATE_OPTIONS_INIT;
  lq_result result = LQ_RESULT_INIT;
  lq_batch_options batch = LQ_BATCH_OPTIONS_INIT;
  lq_prefix_cache_options prefix = LQ_PREFIX_CACHE_OPTIONS_INIT;
  lq_prefix_cache_stats stats = LQ_PREFIX_CACHE_STATS_INIT;
  lq_profile_part part = LQ_PROFILE_PART_INIT;
  lq_embedder_options embedder = LQ_EMBEDDER_OPTIONS_INIT;
  lq_array array = LQ_ARRAY_INIT;
  lq_parameter parameter = LQ_PARAMETER_INIT;
  lq_train_options train = LQ_TRAIN_OPTIONS_INIT;
  lq_train_progress progress = LQ_TRAIN_PROGRESS_INIT;
  lq_perplexity_options perplexity = LQ_PERPLEXITY_OPTIONS_INIT;
  lq_perplexity_result figures = LQ_PERPLEXITY_RESULT_INIT;
  expect(context.struct_size == sizeof context && context.isa == NULL, "context options");
  expect(model.struct_size == sizeof model && model.cancel == NULL, "model options");
  expect(info.struct_size == sizeof info && info.workspace_bytes == 0, "model info");
  expect(inspect.struct_size == sizeof inspect && inspect.kv_type == NULL, "inspect options");
  expect(entry.struct_size == sizeof entry && entry.bytes == 0, "catalogue entry");
  expect(tokenize.struct_size == sizeof tokenize && tokenize.parse_special == 0, "tokenize options");
  expect(detokenize.struct_size == sizeof detokenize && stream.struct_size == sizeof stream, "decode options");
  expect(message.struct_size == sizeof message && message.content_length == LQ_NTS, "message");
  expect(chat.struct_size == sizeof chat && chat.max_output == 0, "chat options");
  expect(session.struct_size == sizeof session && session.memory_cap == 0, "session options");
  expect(event.struct_size == sizeof event && event.token == -1 && event.prompt_total == 0, "event");
  expect(generate.struct_size == sizeof generate && generate.cancel == NULL, "generate options");
  expect(result.struct_size == sizeof result && result.decode_tps == 0, "result");
  expect(batch.struct_size == sizeof batch, "batch options");
  expect(prefix.struct_size == sizeof prefix && prefix.max_bytes == 0, "prefix cache options");
  expect(stats.struct_size == sizeof stats && stats.evicted == 0, "prefix cache stats");
  expect(part.struct_size == sizeof part && part.name == NULL && part.bytes == 0, "profile part");
  expect(embedder.struct_size == sizeof embedder && embedder.pooling == NULL, "embedder options");
  expect(array.struct_size == sizeof array && array.data == NULL, "array");
  expect(parameter.struct_size == sizeof parameter && parameter.data == NULL, "parameter");
  expect(train.struct_size == sizeof train && train.checkpoint == NULL, "train options");
  expect(progress.struct_size == sizeof progress && progress.examples_per_s == 0, "train progress");
  expect(perplexity.struct_size == sizeof perplexity && perplexity.cancel == NULL, "perplexity options");
  expect(figures.struct_size == sizeof figures && figures.mean_logprob == 0, "perplexity result");
}

static void check_versions(void) {
  char list[256];
  size_t length = 0;
  expect(lq_abi_version() == LQ_ABI_VERSION, "the library has the ABI version of the header");
  expect(strlen(lq_version()) >= 5, "a version string");
  expect(strcmp(lq_status_name(LQ_OK), "ok") == 0, "name of ok");
  expect(strcmp(lq_status_name(LQ_ERR_BUFFER_TOO_SMALL), "buffer_too_small") == 0, "name of the last status");
  expect(strcmp(lq_status_name((lq_status)-1000), "unknown") == 0, "name of no status");
  expect(lq_isa_list(list, sizeof list, &length) == LQ_OK && length == strlen(list), "isa list");
  expect(strstr(list, "scalar") != NULL, "the scalar reference is always there");
  expect(lq_isa_list(NULL, 0, &length) == LQ_OK && length == strlen(list), "size query");
  expect(lq_isa_list(list, 1, &length) == LQ_ERR_BUFFER_TOO_SMALL && length > 1, "small buffer");
}

static void check_context(void) {
  lq_context_options options = LQ_CONTEXT_OPTIONS_INIT;
  lq_context* context = NULL;
  const char* isa = NULL;
  char message[512];
  uint32_t threads = 0;
  options.threads = 2;
  options.isa = "scalar";
  expect(lq_context_create(&context, &options) == LQ_OK, "create a context");
  expect(lq_context_isa(&isa, context) == LQ_OK && strcmp(isa, "scalar") == 0, "its instruction set");
  expect(lq_context_threads(&threads, context) == LQ_OK && threads == 2, "its threads");
  expect(lq_context_isa(NULL, context) == LQ_ERR_INVALID_ARGUMENT, "an out-parameter is needed");
  expect(lq_context_error(message, sizeof message, NULL, context) == LQ_OK, "message of the handle");
  lq_context_free(context);
  expect(lq_context_threads(&threads, context) == LQ_ERR_INVALID_ARGUMENT, "a freed handle is refused");
  expect(strstr(lq_last_error(), "freed") != NULL, "and the message says so");
  lq_context_free(context);
  lq_context_free(NULL);
  options.isa = "pdp11";
  expect(lq_context_create(&context, &options) == LQ_ERR_UNSUPPORTED && context == NULL, "an unknown isa");
  expect(strstr(lq_last_error(), "pdp11") != NULL, "is named");
}

int main(void) {
  check_initialisers();
  check_versions();
  check_context();
  if (failures == 0) printf("ok\n");
  return failures != 0;
}
