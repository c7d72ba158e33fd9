#include "sampler.hpp"

#include <cmath>

#include "args.hpp"
#include "lq_sampler.h"

namespace lq::capi {

namespace {

static_assert(sizeof(Candidate) == sizeof(lq_candidate) &&
              offsetof(Candidate, logit) == offsetof(lq_candidate, logit) &&
              offsetof(Candidate, token) == offsetof(lq_candidate, token));

SamplerStage host_stage(lq_sampler_fn callback, void* user) {
  return [callback, user](std::span<Candidate> candidates, std::span<const std::int32_t> history) {
    std::size_t count = candidates.size();
    const int stop =
        callback(reinterpret_cast<lq_candidate*>(candidates.data()), &count, history.data(), history.size(), user);
    LQ_CHECK(stop == 0, Code::cancelled, "sampler: a stage of the host stopped the generation");
    LQ_CHECK(count >= 1 && count <= candidates.size(), Code::invalid_argument, "sampler: a stage of the host kept ",
             count, " of ", candidates.size(), " candidates");
    return count;
  };
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_sampler_create(lq_sampler** out) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    *out = new_handle<SamplerObject, lq_sampler>();
  });
}

void lq_sampler_free(lq_sampler* sampler) noexcept { free_handle(sampler, Kind::sampler); }

lq_status lq_sampler_clone(lq_sampler** out, const lq_sampler* sampler) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    *out = new_handle<SamplerObject, lq_sampler>(call.on<SamplerObject>(sampler, "sampler").sampler);
  });
}

lq_status lq_sampler_add(lq_sampler* sampler, const char* name, double value) noexcept {
  return guard(__func__, [&](Call& call) {
    Sampler& s = call.on<SamplerObject>(sampler, "sampler").sampler;
    s.add(name_arg(call, name, "name"), {&value, 1});
  });
}

lq_status lq_sampler_add_values(lq_sampler* sampler, const char* name, const double* values, size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    Sampler& s = call.on<SamplerObject>(sampler, "sampler").sampler;
    s.add(name_arg(call, name, "name"), array_arg(call, values, count, "values", 64));
  });
}

lq_status lq_sampler_names(char* out, size_t capacity, size_t* length) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    write_text(call, out, capacity, length, Sampler::names());
  });
}

lq_status lq_sampler_add_callback(lq_sampler* sampler, lq_sampler_fn callback, void* user) noexcept {
  return guard(__func__, [&](Call& call) {
    Sampler& s = call.on<SamplerObject>(sampler, "sampler").sampler;
    LQ_CHECK(callback, Code::invalid_argument, call.function(), ": callback is NULL");
    s.add(host_stage(callback, user));
  });
}

lq_status lq_sampler_bias(lq_sampler* sampler, const int32_t* tokens, const float* bias, size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    Sampler& s = call.on<SamplerObject>(sampler, "sampler").sampler;
    const auto ids = array_arg(call, tokens, count, "tokens");
    const auto values = array_arg(call, bias, count, "bias");
    Sampler changed = s;  // all or nothing
    for (std::size_t i = 0; i < count; ++i) changed.set_bias(ids[i], values[i]);
    s = std::move(changed);
  });
}

lq_status lq_sampler_seed(lq_sampler* sampler, uint64_t seed) noexcept {
  return guard(__func__, [&](Call& call) { call.on<SamplerObject>(sampler, "sampler").sampler.set_seed(seed); });
}

lq_status lq_sampler_sample(int32_t* out, lq_sampler* sampler, const float* logits, size_t n_vocab,
                            const int32_t* history, size_t history_count, uint64_t position) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = -1;
    Sampler& s = call.on<SamplerObject>(sampler, "sampler").sampler;
    const auto scores = array_arg(call, logits, n_vocab, "logits", std::size_t{1} << 24);
    LQ_CHECK(!scores.empty(), Code::invalid_argument, call.function(), ": n_vocab is 0");
    const auto seen = array_arg(call, history, history_count, "history");
    for (std::size_t i = 0; i < seen.size(); ++i)
      LQ_CHECK(seen[i] >= 0 && static_cast<std::size_t>(seen[i]) < n_vocab, Code::invalid_argument, call.function(),
               ": history[", i, "] is ", seen[i], ", the vocabulary has ", n_vocab, " tokens");
    s.check_vocab(n_vocab);
    *out = s.sample(scores, seen, position);
  });
}

lq_status lq_sampler_error(char* out, size_t capacity, size_t* length, const lq_sampler* sampler) noexcept {
  return object_error(__func__, out, capacity, length, sampler, Kind::sampler);
}

}  // extern "C"
