/* Part of loquor.h: evaluating models on published questions. */
#ifndef LOQUOR_LQ_EVAL_H
#define LOQUOR_LQ_EVAL_H

#include "lq_generate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What an evaluation found. Immutable. */
typedef struct lq_report lq_report;

/* Called after each of `all` questions; non-zero stops with CANCELLED. */
typedef int (*lq_count_fn)(uint32_t done, uint32_t all, void* user);

typedef struct lq_mmlu_options {
  uint32_t struct_size;
  uint32_t shots;              /* examples before each question: 0 to 5 */
  const char* data;            /* the folder with dev/SUBJECT_dev.csv and test/SUBJECT_test.csv (question, A, B, C, D,
                                  answer; Hendrycks et al. 2021) */
  const char* const* subjects; /* subject_count names; none: all 57 */
  size_t subject_count;
  const char* format;  /* "hendrycks" (NULL): the authors' prompt; "harness": lm-evaluation-harness's "mmlu" */
  const char* results; /* NULL, or a file that each answer is added to at once; those it holds are not asked
                          again. MISMATCH if it is of another model, format, number of shots or context */
  uint32_t limit;      /* most questions of a subject; 0 = all */
  uint32_t n_ctx;      /* 0 = as trained; a prompt that does not fit loses its first examples, which is counted */
  lq_count_fn progress;
  void* progress_user;
  lq_cancel* cancel;
  int32_t answers; /* non-zero: the report lists every answer */
  int32_t reserved;
} lq_mmlu_options;

#define LQ_MMLU_OPTIONS_INIT \
  { (uint32_t)sizeof(lq_mmlu_options), 5, NULL, NULL, 0, NULL, NULL, 0, 0, NULL, NULL, NULL, 0, 0 }

/* The model answers each question with the letter whose token, after "Answer:", it finds most probable. The examples
 * are computed once a subject, and of the head only the four letters. Errors: NOT_FOUND (subject, file), BAD_FILE
 * naming file and line, MISMATCH, IO, CONTEXT_FULL, UNSUPPORTED (a vocabulary without a token for each letter),
 * CANCELLED (what was answered is in the results file). Threads: any. */
LQ_API lq_status lq_mmlu_run(lq_report** out, lq_model* model, const lq_mmlu_options* options) LQ_NOEXCEPT;

/* The report as JSON, borrowed from it: {"micro": {"questions", "correct", "accuracy", "std_error"}, "macro": mean of
 * the subjects, "calibration_error": expected, in ten bins, "categories": {...}, "subjects": {...}, "resumed", "cut":
 * prompts that lost examples, "prompt_tokens", "computed_tokens", "seconds", "answers": [{"subject", "index", "right",
 * "chosen", "shots", "probability": of the four letters}]}. Threads: any. */
LQ_API lq_status lq_report_json(const char** text, size_t* length, const lq_report* report) LQ_NOEXCEPT;

LQ_API void lq_report_free(lq_report* report) LQ_NOEXCEPT;

/* The names of the 57 subjects, separated by commas, written as lq_detokenize writes. Threads: any. */
LQ_API lq_status lq_mmlu_subjects(char* out, size_t capacity, size_t* length) LQ_NOEXCEPT;

/* The message of the last call that failed on this report; "" if none. Threads: any. */
LQ_API lq_status lq_report_error(char* out, size_t capacity, size_t* length, const lq_report* report) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
