// Options and progress of training, between C and C++.
#pragma once

#include "guard.hpp"
#include "loquor/train/trainer.hpp"
#include "lq_train.h"

namespace lq::capi {

TrainOptions train_options(const Call& call, const lq_train_options* options);
lq_train_progress to_c(const TrainProgress& progress);

}  // namespace lq::capi
