/* Generates text from C: c_generate [MODEL] [PROMPT]. Streams to standard output through the token callback. */
#include <loquor.h>
#include <stdio.h>

static int print(const lq_event *event, void *user) {
  (void)user;
  fwrite(event->text, 1, event->text_length, stdout);
  return fflush(stdout); /* non-zero would stop the generation */
}

int main(int argc, char **argv) {
  lq_context *context = NULL;
  lq_model *model = NULL;
  lq_session *session = NULL;
  lq_generate_options options = LQ_GENERATE_OPTIONS_INIT;
  lq_message message = LQ_MESSAGE_INIT;
  lq_result result = LQ_RESULT_INIT;
  lq_status status;

  options.max_tokens = 64;
  message.role = "user";
  message.content = argc > 2 ? argv[2] : "Name three fruits.";
  status = lq_context_create(&context, NULL);
  if (status == LQ_OK) status = lq_model_load(&model, context, argc > 1 ? argv[1] : "smollm2", NULL);
  if (status == LQ_OK) status = lq_session_create(&session, model, NULL);
  if (status == LQ_OK) status = lq_session_chat(&result, session, &message, 1, NULL, &options, print, NULL);
  if (status == LQ_OK)
    printf("\n[%u tokens, %.1f per second]\n", (unsigned)result.generated_tokens, result.decode_tps);
  else
    fprintf(stderr, "c_generate: %s: %s\n", lq_status_name(status), lq_last_error());
  lq_session_free(session);
  lq_model_free(model);
  lq_context_free(context);
  return status == LQ_OK ? 0 : 1;
}
