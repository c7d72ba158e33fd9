// What training and fine-tuning take from Python.
#pragma once

#include "convert.hpp"

loquor::TrainOptions train_options(const py::dict& d);
// Calls back with a dict; None and True go on.
loquor::TrainFn train_progress(py::object callback);
