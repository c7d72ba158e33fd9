/* Part of loquor.h: small networks, described by a line of text, and their training. */
#ifndef LOQUOR_LQ_TRAIN_H
#define LOQUOR_LQ_TRAIN_H

#include "lq_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers (float) or ids (int32_t), row-major, up to four dimensions, the first of which counts examples. */
typedef struct lq_array {
  uint32_t struct_size;
  uint32_t rank;     /* 1 to 4 */
  uint64_t shape[4]; /* of which `rank` count */
  const void* data;  /* 4 bytes a value */
} lq_array;

#define LQ_ARRAY_INIT \
  { (uint32_t)sizeof(lq_array), 0, {0, 0, 0, 0}, NULL }

/* ---- Networks -------------------------------------------------------------------------------------------------- */

typedef struct lq_network lq_network;

/* Layers in a row, "embedding 65 64 | lstm 64 128 layers=2 | linear 128 65" (docs/training.md lists them), with random
 * parameters: the same description and seed give the same ones. Errors: INVALID_ARGUMENT, which names the layer,
 * OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_network_create(lq_network** out, lq_context* context, const char* description,
                                   uint64_t seed) LQ_NOEXCEPT;

/* From a file of lq_network_save or a checkpoint of a trainer. Errors: NOT_FOUND, IO, BAD_FILE, MISMATCH,
 * OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_network_load(lq_network** out, lq_context* context, const char* path) LQ_NOEXCEPT;

LQ_API void lq_network_free(lq_network* network) LQ_NOEXCEPT;

/* Writes a safetensors file with the names of torch's state_dict() and the description in its metadata. It appears
 * complete or not at all. Errors: IO. Threads: one. */
LQ_API lq_status lq_network_save(const lq_network* network, const char* path) LQ_NOEXCEPT;

/* Takes all parameters from a safetensors file that has exactly these, such as one of torch's. Errors: NOT_FOUND, IO,
 * BAD_FILE, MISMATCH (the parameters are then as before). Threads: one. */
LQ_API lq_status lq_network_load_parameters(lq_network* network, const char* path) LQ_NOEXCEPT;

/* Borrowed from the network. Threads: any. */
LQ_API lq_status lq_network_description(const char** out, const lq_network* network) LQ_NOEXCEPT;

typedef struct lq_parameter {
  uint32_t struct_size;
  uint32_t rank;
  uint64_t shape[4];
  uint64_t count;   /* of values */
  const char* name; /* as in torch: "1.weight_ih_l0". Borrowed from the network */
  float* data;      /* borrowed from the network; may be read and written while no call on it or its trainers runs */
} lq_parameter;

#define LQ_PARAMETER_INIT \
  { (uint32_t)sizeof(lq_parameter), 0, {0, 0, 0, 0}, 0, NULL, NULL }

/* How many parameters there are. Threads: any. */
LQ_API lq_status lq_network_parameter_count(size_t* out, const lq_network* network) LQ_NOEXCEPT;

/* The one of this index. Errors: INVALID_ARGUMENT. Threads: any. */
LQ_API lq_status lq_network_parameter(lq_parameter* out, const lq_network* network, size_t index) LQ_NOEXCEPT;

/* The network's output for `x`: ids if its first layer is an embedding, else numbers. out->data (floats) is borrowed
 * until the next run or free. With `carry` not 0, recurrent layers go on from where the last such run ended, until
 * lq_network_reset; all runs of a carried sequence have one shape. Uses the context's threads, which do not change a
 * bit of it. Errors: INVALID_ARGUMENT for a shape that does not fit or an id outside the table, OUT_OF_MEMORY.
 * Threads: one. */
LQ_API lq_status lq_network_run(lq_array* out, lq_network* network, const lq_array* x, int32_t carry) LQ_NOEXCEPT;

/* The next run with `carry` starts from zeros, and may have another shape. Threads: one. */
LQ_API lq_status lq_network_reset(lq_network* network) LQ_NOEXCEPT;

/* The message of the last call that failed on this network; "" if none. Threads: any. */
LQ_API lq_status lq_network_error(char* out, size_t capacity, size_t* length, const lq_network* network) LQ_NOEXCEPT;

/* ---- Data ------------------------------------------------------------------------------------------------------ */

/* What networks learn from: pairs of an input and what should come out. Immutable. */
typedef struct lq_dataset lq_dataset;

/* Example i is the i-th of x and of y, which are copied. y: class ids (int32_t), of which those below 0 do not count,
 * for cross-entropy; numbers for the squared error. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_dataset_create(lq_dataset** out, const lq_array* x, const lq_array* y) LQ_NOEXCEPT;

/* Windows of `window` ids of a text, `stride` apart; what should come out are the same ids one later. Copied. Errors:
 * INVALID_ARGUMENT if the text has no window, OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_dataset_create_text(lq_dataset** out, const int32_t* ids, size_t count, size_t window,
                                        size_t stride) LQ_NOEXCEPT;

LQ_API void lq_dataset_free(lq_dataset* dataset) LQ_NOEXCEPT;

/* The number of examples. Threads: any. */
LQ_API lq_status lq_dataset_size(uint64_t* out, const lq_dataset* dataset) LQ_NOEXCEPT;

/* The message of the last call that failed on this dataset; "" if none. Threads: any. */
LQ_API lq_status lq_dataset_error(char* out, size_t capacity, size_t* length, const lq_dataset* dataset) LQ_NOEXCEPT;

/* ---- Training -------------------------------------------------------------------------------------------------- */

typedef struct lq_trainer lq_trainer;

typedef enum lq_loss {
  LQ_LOSS_CROSS_ENTROPY = 0,     /* mean over the targets that are not below 0, in nats */
  LQ_LOSS_MEAN_SQUARED_ERROR = 1 /* mean over all values */
} lq_loss;

typedef struct lq_train_options {
  uint32_t struct_size;
  int32_t loss;          /* an lq_loss */
  const char* optimizer; /* "sgd", "adam" or "adamw"; NULL or "" = adamw. The arithmetic is torch.optim's */
  const char* schedule;  /* "constant", "linear" or "cosine" (to min_rate at the last step); NULL or "" = constant */
  double learning_rate;  /* 0 = 0.001 */
  double min_rate;
  double beta1, beta2, eps; /* of adam and adamw; 0 = 0.9, 0.999, 1e-8 */
  double momentum;          /* of sgd */
  double weight_decay;
  double clip;      /* the largest norm of all gradients together; 0 = no limit */
  int32_t nesterov; /* non-zero: Nesterov's momentum */
  int32_t in_order; /* non-zero: examples in the dataset's order; 0 = in another order in each epoch */
  int32_t carry;    /* non-zero: recurrent state runs on from batch to batch. The dataset, in order, is cut into `batch`
                       streams. Needs in_order */
  int32_t reserved; /* 0 */
  uint64_t seed;    /* of the order and of dropout */
  uint64_t batch;   /* examples at once; 0 = 32 */
  uint64_t accumulate;       /* batches for one update, which equals one by a batch so many times as large; 0 = 1 */
  uint64_t steps;            /* updates in all; 0 = what `epochs` take */
  uint64_t epochs;           /* 0 = 1 */
  uint64_t warmup;           /* updates in which the rate rises from 0 */
  uint64_t eval_every;       /* updates between evaluations; 0 = an epoch */
  uint64_t patience;         /* evaluations without a better one after which training ends; 0 = never */
  uint64_t checkpoint_every; /* updates; 0 = only at the end */
  const char* checkpoint;    /* a file; if it exists, training resumes from it. NULL or "" = none */
} lq_train_options;

#define LQ_TRAIN_OPTIONS_INIT                                                                                        \
  {                                                                                                                  \
    (uint32_t)sizeof(lq_train_options), LQ_LOSS_CROSS_ENTROPY, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 0, 0, 0, NULL                                                                                    \
  }

typedef struct lq_train_progress {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t step, steps; /* updates done, and in all */
  uint64_t epoch;       /* from 0 */
  uint64_t skipped;     /* updates left out because the loss or a gradient was not finite; ten in a row are an error */
  double loss;          /* of the last update's examples */
  double rate;
  double gradient_norm;  /* before clipping */
  double eval_loss;      /* the latest; NaN before the first */
  double examples_per_s; /* of this call */
} lq_train_progress;

#define LQ_TRAIN_PROGRESS_INIT \
  { (uint32_t)sizeof(lq_train_progress), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Called after each update on the calling thread; may not call on the trainer or its network, but may read and write
 * parameters. A non-zero return ends training there, which is no error: lq_trainer_fit may be called again to go on. */
typedef int (*lq_train_fn)(const lq_train_progress* progress, void* user);

/* The trainer keeps the network alive. A network may have several trainers, used one at a time. Errors:
 * INVALID_ARGUMENT, OUT_OF_MEMORY. Threads: any. */
LQ_API lq_status lq_trainer_create(lq_trainer** out, lq_network* network, const lq_train_options* options) LQ_NOEXCEPT;

LQ_API void lq_trainer_free(lq_trainer* trainer) LQ_NOEXCEPT;

/* Trains to the end, until `progress` (may be NULL) stops it, or until evaluations on `eval` (may be NULL without
 * patience) no longer improve. With patience the network has the best evaluation's parameters after it, unless
 * `progress` ended it. `out` may be NULL. A run is a function of network, data, options and seed: neither threads nor
 * interruption and resumption change a bit of it. A process killed at any moment loses the updates since the last
 * checkpoint. `cancel` (may be NULL) is polled between operators. Errors: INVALID_ARGUMENT for data that does not fit,
 * CANCELLED (the parameters are those of the last whole update; may be called again to go on), LIMIT after ten updates
 * in a row that were not finite, MISMATCH for a checkpoint of another network, other options or other data, IO for one
 * that cannot be written (the one before is intact), OUT_OF_MEMORY. Threads: one. */
LQ_API lq_status lq_trainer_fit(lq_train_progress* out, lq_trainer* trainer, lq_dataset* train, lq_dataset* eval,
                                lq_train_fn progress, void* user, const lq_cancel* cancel) LQ_NOEXCEPT;

/* One update by the examples of x and y. *loss (may be NULL) is theirs, before it. Errors: as of lq_trainer_fit.
 * Threads: one. */
LQ_API lq_status lq_trainer_step(double* loss, lq_trainer* trainer, const lq_array* x, const lq_array* y) LQ_NOEXCEPT;

/* The mean loss over a dataset. Errors: INVALID_ARGUMENT, CANCELLED, OUT_OF_MEMORY. Threads: one. */
LQ_API lq_status lq_trainer_evaluate(double* out, lq_trainer* trainer, lq_dataset* data,
                                     const lq_cancel* cancel) LQ_NOEXCEPT;

/* Everything that the rest of a run depends on; also a file of the network. Errors: IO. Threads: one. */
LQ_API lq_status lq_trainer_save(const lq_trainer* trainer, const char* path) LQ_NOEXCEPT;

/* Errors: NOT_FOUND, IO, BAD_FILE, MISMATCH (nothing has then changed). Threads: one. */
LQ_API lq_status lq_trainer_load(lq_trainer* trainer, const char* path) LQ_NOEXCEPT;

/* The message of the last call that failed on this trainer; "" if none. Threads: any. */
LQ_API lq_status lq_trainer_error(char* out, size_t capacity, size_t* length, const lq_trainer* trainer) LQ_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
