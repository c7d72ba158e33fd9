#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

namespace {

const float kX[] = {0, 0, 0, 1, 1, 0, 1, 1};
const std::int32_t kY[] = {0, 1, 1, 0};

}  // namespace

lq_array xor_inputs() {
  lq_array a = LQ_ARRAY_INIT;
  a.rank = 2;
  a.shape[0] = 4;
  a.shape[1] = 2;
  a.data = kX;
  return a;
}

lq_array xor_classes() {
  lq_array a = LQ_ARRAY_INIT;
  a.rank = 1;
  a.shape[0] = 4;
  a.data = kY;
  return a;
}

namespace {

std::vector<CallRow> network_calls() {
  return {
      {"lq_network_create", Takes::handle, Kind::context,
       [](Handles&, void* h) {
         lq_network* n = nullptr;
         return freed(lq_network_create(&n, as<lq_context>(h), "linear 2 2", 1), n, lq_network_free);
       }},
      {"lq_network_load", Takes::handle, Kind::context,
       [](Handles& f, void* h) {
         const lq_status saved = lq_network_save(f.network, (f.path + ".network").c_str());
         lq_network* n = nullptr;
         const lq_status status = lq_network_load(&n, as<lq_context>(h), (f.path + ".network").c_str());
         lq_network_free(n);
         return status == LQ_OK ? saved : status;
       }},
      {"lq_network_save", Takes::handle, Kind::network,
       [](Handles& f, void* h) { return lq_network_save(as<lq_network>(h), (f.path + ".network").c_str()); }},
      {"lq_network_load_parameters", Takes::handle, Kind::network,
       [](Handles& f, void* h) {
         lq_network_save(f.network, (f.path + ".network").c_str());
         return lq_network_load_parameters(as<lq_network>(h), (f.path + ".network").c_str());
       }},
      {"lq_network_description", Takes::handle, Kind::network,
       [](Handles&, void* h) {
         const char* text = nullptr;
         return lq_network_description(&text, as<lq_network>(h));
       }},
      {"lq_network_parameter_count", Takes::handle, Kind::network,
       [](Handles&, void* h) {
         size_t n = 0;
         return lq_network_parameter_count(&n, as<lq_network>(h));
       }},
      {"lq_network_parameter", Takes::handle, Kind::network,
       [](Handles&, void* h) {
         lq_parameter p = LQ_PARAMETER_INIT;
         return lq_network_parameter(&p, as<lq_network>(h), 0);
       }},
      {"lq_network_run", Takes::handle, Kind::network,
       [](Handles&, void* h) {
         lq_array out = LQ_ARRAY_INIT;
         const lq_array x = xor_inputs();
         return lq_network_run(&out, as<lq_network>(h), &x, 0);
       }},
      {"lq_network_reset", Takes::handle, Kind::network,
       [](Handles&, void* h) { return lq_network_reset(as<lq_network>(h)); }},
      {"lq_network_error", Takes::handle, Kind::network,
       [](Handles&, void* h) { return lq_network_error(nullptr, 0, nullptr, as<lq_network>(h)); }},
  };
}

std::vector<CallRow> dataset_calls() {
  return {
      {"lq_dataset_create",
       Takes::no_handle,
       {},
       [](Handles&, void*) {
         const lq_array x = xor_inputs(), y = xor_classes();
         lq_dataset* d = nullptr;
         return freed(lq_dataset_create(&d, &x, &y), d, lq_dataset_free);
       }},
      {"lq_dataset_create_text",
       Takes::no_handle,
       {},
       [](Handles& f, void*) {
         lq_dataset* d = nullptr;
         return freed(lq_dataset_create_text(&d, f.tokens.data(), f.tokens.size(), 2, 1), d, lq_dataset_free);
       }},
      {"lq_dataset_size", Takes::handle, Kind::dataset,
       [](Handles&, void* h) {
         uint64_t n = 0;
         return lq_dataset_size(&n, as<lq_dataset>(h));
       }},
      {"lq_dataset_error", Takes::handle, Kind::dataset,
       [](Handles&, void* h) { return lq_dataset_error(nullptr, 0, nullptr, as<lq_dataset>(h)); }},
  };
}

std::vector<CallRow> trainer_calls() {
  return {
      {"lq_trainer_create", Takes::handle, Kind::network,
       [](Handles&, void* h) {
         lq_trainer* t = nullptr;
         return freed(lq_trainer_create(&t, as<lq_network>(h), nullptr), t, lq_trainer_free);
       }},
      {"lq_trainer_fit", Takes::handle, Kind::trainer,
       [](Handles& f, void* h) {
         return lq_trainer_fit(nullptr, as<lq_trainer>(h), f.dataset, nullptr, nullptr, nullptr, nullptr);
       }},
      {"lq_trainer_step", Takes::handle, Kind::trainer,
       [](Handles&, void* h) {
         const lq_array x = xor_inputs(), y = xor_classes();
         return lq_trainer_step(nullptr, as<lq_trainer>(h), &x, &y);
       }},
      {"lq_trainer_evaluate", Takes::handle, Kind::trainer,
       [](Handles& f, void* h) {
         double loss = 0;
         return lq_trainer_evaluate(&loss, as<lq_trainer>(h), f.dataset, nullptr);
       }},
      {"lq_trainer_save", Takes::handle, Kind::trainer,
       [](Handles& f, void* h) { return lq_trainer_save(as<lq_trainer>(h), (f.path + ".network").c_str()); }},
      {"lq_trainer_load", Takes::handle, Kind::trainer,
       [](Handles& f, void* h) {
         lq_trainer_save(f.trainer, (f.path + ".network").c_str());
         return lq_trainer_load(as<lq_trainer>(h), (f.path + ".network").c_str());
       }},
      {"lq_trainer_error", Takes::handle, Kind::trainer,
       [](Handles&, void* h) { return lq_trainer_error(nullptr, 0, nullptr, as<lq_trainer>(h)); }},
  };
}

}  // namespace

std::vector<CallRow> train_calls() {
  std::vector<CallRow> all;
  for (auto* part : {network_calls, dataset_calls, trainer_calls})
    for (const CallRow& row : part()) all.push_back(row);
  return all;
}

}  // namespace lq_test
