#include <loquor.h>

__attribute__((visibility("default"))) const char *plugin_version(void);
const char *plugin_version(void) { return lq_version(); }
