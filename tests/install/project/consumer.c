/* Links with an installed libloquor and calls it, without a model. */
#include <loquor.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  lq_context *context = NULL;
  lq_model *model = NULL;
  const char *isa = NULL;
  if (lq_abi_version() != LQ_ABI_VERSION) return 1;
  if (lq_context_create(&context, NULL) != LQ_OK) return 2;
  if (lq_context_isa(&isa, context) != LQ_OK || strlen(isa) == 0) return 3;
  if (lq_model_load(&model, context, "/nonexistent/model.gguf", NULL) != LQ_ERR_NOT_FOUND) return 4;
  if (strstr(lq_last_error(), "/nonexistent/model.gguf") == NULL) return 5;
  printf("loquor %s %s\n", lq_version(), isa);
  lq_context_free(context);
  return 0;
}
