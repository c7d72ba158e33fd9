/* Loquor: language models inside your own program. This is the whole C interface; include this one file.
 *
 * C99, no dependency but <stddef.h> and <stdint.h>. The comments in these headers are the reference documentation;
 * capi/README.md lists the conventions they follow. A complete program:
 *
 *     lq_context *ctx = NULL; lq_model *model = NULL; lq_session *session = NULL;
 *     const char *text; size_t length;
 *     if (lq_context_create(&ctx, NULL) == LQ_OK &&
 *         lq_model_load(&model, ctx, "smollm2", NULL) == LQ_OK &&
 *         lq_session_create(&session, model, NULL) == LQ_OK &&
 *         lq_session_generate(NULL, session, "The sky is", LQ_NTS, NULL, NULL, NULL) == LQ_OK &&
 *         lq_session_output(&text, &length, session) == LQ_OK)
 *       fwrite(text, 1, length, stdout);
 *     else
 *       fprintf(stderr, "%s\n", lq_last_error());
 *     lq_session_free(session); lq_model_free(model); lq_context_free(ctx);
 */
#ifndef LOQUOR_H
#define LOQUOR_H

#include "lq_adapter.h"
#include "lq_attention.h"
#include "lq_base.h"
#include "lq_embed.h"
#include "lq_eval.h"
#include "lq_generate.h"
#include "lq_grammar.h"
#include "lq_model.h"
#include "lq_prefix.h"
#include "lq_profile.h"
#include "lq_prompt.h"
#include "lq_rag.h"
#include "lq_sampler.h"
#include "lq_text.h"
#include "lq_train.h"
#include "lq_tune.h"

#endif
