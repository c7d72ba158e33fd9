/* The addon's entry. One copy of it serves all threads of a process (worker_threads): what is theirs hangs on their env. */
#include <string.h>

#include "util.h"

NAPI_MODULE_INIT() {
  static const lqn_export list[] = {{"setErrorClass", lqn_set_error_class}, {"close", lqn_close}};
  if (lq_abi_version() != LQ_ABI_VERSION) {
    napi_throw_error(env, NULL, "loquor: the addon was built for another version of the library");
    return NULL;
  }
  lqn_export_all(env, exports, list, sizeof list / sizeof *list);
  lqn_export_model(env, exports);
  lqn_export_session(env, exports);
  lqn_export_generate(env, exports);
  lqn_set(env, exports, "version", lqn_text(env, lq_version(), strlen(lq_version())));
  return exports;
}
