#include <fstream>

#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

std::vector<CallRow> sampler_calls() {
  return {
      {"lq_sampler_create",
       Takes::no_handle,
       {},
       [](Handles&, void*) {
         lq_sampler* s = nullptr;
         const lq_status status = lq_sampler_create(&s);
         return freed(status, s, lq_sampler_free);
       }},
      {"lq_sampler_clone", Takes::handle, Kind::sampler,
       [](Handles&, void* h) {
         lq_sampler* s = nullptr;
         const lq_status status = lq_sampler_clone(&s, as<lq_sampler>(h));
         return freed(status, s, lq_sampler_free);
       }},
      {"lq_sampler_add", Takes::handle, Kind::sampler,
       [](Handles&, void* h) { return lq_sampler_add(as<lq_sampler>(h), "top_k", 5); }},
      {"lq_sampler_add_values", Takes::handle, Kind::sampler,
       [](Handles&, void* h) {
         const double values[] = {1.1, 64};
         return lq_sampler_add_values(as<lq_sampler>(h), "repeat_penalty", values, 2);
       }},
      {"lq_sampler_names", Takes::no_handle, {}, [](Handles&, void*) { return lq_sampler_names(nullptr, 0, nullptr); }},
      {"lq_sampler_add_callback", Takes::handle, Kind::sampler,
       [](Handles&, void* h) {
         const lq_sampler_fn keep_all = [](lq_candidate*, size_t*, const int32_t*, size_t, void*) { return 0; };
         return lq_sampler_add_callback(as<lq_sampler>(h), keep_all, nullptr);
       }},
      {"lq_sampler_bias", Takes::handle, Kind::sampler,
       [](Handles&, void* h) {
         const int32_t id = 7;
         const float bias = 1.0f;
         return lq_sampler_bias(as<lq_sampler>(h), &id, &bias, 1);
       }},
      {"lq_sampler_seed", Takes::handle, Kind::sampler,
       [](Handles&, void* h) { return lq_sampler_seed(as<lq_sampler>(h), 42); }},
      {"lq_sampler_sample", Takes::handle, Kind::sampler,
       [](Handles&, void* h) {
         const std::vector<float> logits(64, 1.0f);
         int32_t id = -1;
         return lq_sampler_sample(&id, as<lq_sampler>(h), logits.data(), logits.size(), nullptr, 0, 0);
       }},
      {"lq_sampler_error", Takes::handle, Kind::sampler,
       [](Handles&, void* h) { return lq_sampler_error(nullptr, 0, nullptr, as<lq_sampler>(h)); }},
  };
}

std::vector<CallRow> session_calls() {
  return {
      {"lq_session_create", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         lq_session* s = nullptr;
         const lq_status status = lq_session_create(&s, as<lq_model>(h), nullptr);
         return freed(status, s, lq_session_free);
       }},
      {"lq_session_fork", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         lq_session* s = nullptr;
         const lq_status status = lq_session_fork(&s, as<lq_session>(h));
         return freed(status, s, lq_session_free);
       }},
      {"lq_session_set_prompt", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         return lq_session_set_prompt(nullptr, as<lq_session>(h), f.tokens.data(), f.tokens.size());
       }},
      {"lq_session_feed", Takes::handle, Kind::session,
       [](Handles& f, void* h) { return lq_session_feed(as<lq_session>(h), f.tokens.data(), 2); }},
      {"lq_session_logits", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         const float* logits = nullptr;
         size_t n = 0;
         return lq_session_logits(&logits, &n, as<lq_session>(h));
       }},
      {"lq_session_eval", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         const lq_logits_fn go_on = [](size_t, const float*, size_t, void*) { return 0; };
         return lq_session_eval(as<lq_session>(h), f.tokens.data(), 2, go_on, nullptr);
       }},
      {"lq_session_score", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         double sum = 0;
         return lq_session_score(&sum, nullptr, as<lq_session>(h), f.tokens.data(), f.tokens.size());
       }},
      {"lq_session_logits_of", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         float out[2];
         return lq_session_logits_of(out, nullptr, as<lq_session>(h), nullptr, 0, f.tokens.data(), 2);
       }},
      {"lq_session_rewind", Takes::handle, Kind::session,
       [](Handles&, void* h) { return lq_session_rewind(as<lq_session>(h), 1); }},
      {"lq_session_length", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         size_t n = 0;
         return lq_session_length(&n, as<lq_session>(h));
       }},
      {"lq_session_capacity", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         size_t n = 0;
         return lq_session_capacity(&n, as<lq_session>(h));
       }},
      {"lq_session_memory", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         uint64_t n = 0;
         return lq_session_memory(&n, as<lq_session>(h));
       }},
      {"lq_session_tokens", Takes::handle, Kind::session,
       [](Handles&, void* h) { return lq_session_tokens(nullptr, 0, nullptr, as<lq_session>(h)); }},
      {"lq_session_save_file", Takes::handle, Kind::session,
       [](Handles& f, void* h) { return lq_session_save_file(as<lq_session>(h), (f.path + ".state").c_str()); }},
      {"lq_session_load_file", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         std::ofstream(f.path + ".state", std::ios::binary) << f.state;
         return lq_session_load_file(as<lq_session>(h), (f.path + ".state").c_str());
       }},
      {"lq_session_save", Takes::handle, Kind::session,
       [](Handles&, void* h) { return lq_session_save(nullptr, 0, nullptr, as<lq_session>(h)); }},
      {"lq_session_load", Takes::handle, Kind::session,
       [](Handles& f, void* h) { return lq_session_load(as<lq_session>(h), f.state.data(), f.state.size()); }},
      {"lq_session_error", Takes::handle, Kind::session,
       [](Handles&, void* h) { return lq_session_error(nullptr, 0, nullptr, as<lq_session>(h)); }},
  };
}

std::vector<CallRow> generation_calls() {
  return {
      {"lq_session_generate", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         const lq_generate_options o = short_generation();
         return lq_session_generate(nullptr, as<lq_session>(h), "hello", LQ_NTS, &o, nullptr, nullptr);
       }},
      {"lq_session_chat", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         const lq_generate_options o = short_generation();
         const lq_message m = hello_message();
         return lq_session_chat(nullptr, as<lq_session>(h), &m, 1, nullptr, &o, nullptr, nullptr);
       }},
      {"lq_session_start", Takes::handle, Kind::session,
       [](Handles&, void* h) { return lq_session_start(as<lq_session>(h), "hello", 5, nullptr); }},
      {"lq_session_start_tokens", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         return lq_session_start_tokens(as<lq_session>(h), f.tokens.data(), f.tokens.size(), nullptr);
       }},
      {"lq_session_start_chat", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         const lq_message m = hello_message();
         return lq_session_start_chat(as<lq_session>(h), &m, 1, nullptr, nullptr);
       }},
      {"lq_session_step", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         lq_session_start(f.session, "hello", 5, nullptr);
         lq_event e = LQ_EVENT_INIT;
         return lq_session_step(&e, as<lq_session>(h), LQ_BUDGET_NONE);
       }},
      {"lq_session_stop", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         lq_session_start(f.session, "hello", 5, nullptr);
         return lq_session_stop(as<lq_session>(h));
       }},
      {"lq_session_cancel", Takes::handle, Kind::session,
       [](Handles&, void* h) { return lq_session_cancel(as<lq_session>(h)); }},
      {"lq_session_result", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         lq_result r = LQ_RESULT_INIT;
         return lq_session_result(&r, as<lq_session>(h));
       }},
      {"lq_session_output", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         const char* text = nullptr;
         size_t n = 0;
         return lq_session_output(&text, &n, as<lq_session>(h));
       }},
      {"lq_session_output_tokens", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         const int32_t* ids = nullptr;
         size_t n = 0;
         return lq_session_output_tokens(&ids, &n, as<lq_session>(h));
       }},
      {"lq_batch_create", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         lq_batch* b = nullptr;
         const lq_status status = lq_batch_create(&b, as<lq_model>(h), nullptr);
         return freed(status, b, lq_batch_free);
       }},
      {"lq_batch_step", Takes::handle, Kind::batch,
       [](Handles& f, void* h) {
         lq_session_start(f.session, "hello", 5, nullptr);
         lq_event e = LQ_EVENT_INIT;
         return lq_batch_step(&e, as<lq_batch>(h), &f.session, 1);
       }},
      {"lq_batch_run", Takes::handle, Kind::batch,
       [](Handles& f, void* h) {
         const lq_generate_options o = short_generation();
         lq_session_start(f.session, "hello", 5, &o);
         return lq_batch_run(as<lq_batch>(h), &f.session, 1, nullptr, nullptr);
       }},
      {"lq_session_profile", Takes::handle, Kind::session,
       [](Handles&, void* h) { return lq_session_profile(as<lq_session>(h), 1); }},
      {"lq_session_profile_parts", Takes::handle, Kind::session,
       [](Handles&, void* h) {
         size_t n = 0;
         return lq_session_profile_parts(&n, as<lq_session>(h));
       }},
      {"lq_session_profile_part", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         lq_session_profile(f.session, 1);
         lq_profile_part part = LQ_PROFILE_PART_INIT;
         return lq_session_profile_part(&part, as<lq_session>(h), 0);
       }},
      {"lq_perplexity", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         const std::vector<int32_t> ids(40, 70);
         lq_perplexity_result r = LQ_PERPLEXITY_RESULT_INIT;
         lq_perplexity_options o = LQ_PERPLEXITY_OPTIONS_INIT;
         o.n_ctx = 16;
         return lq_perplexity(&r, as<lq_model>(h), ids.data(), ids.size(), &o);
       }},
  };
}

}  // namespace lq_test
