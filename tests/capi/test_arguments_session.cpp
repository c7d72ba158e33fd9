#include "arguments.hpp"

using namespace lq_test;

namespace {

const BadRow kSampler[] = {
    {"create NULL", kInvalid, [](Handles&) { return lq_sampler_create(nullptr); }},
    {"add name NULL", kInvalid, [](Handles& h) { return add(h, nullptr, 1); }},
    {"add unknown", LQ_ERR_NOT_FOUND, [](Handles& h) { return add(h, "top_q", 1); }},
    {"add empty", LQ_ERR_NOT_FOUND, [](Handles& h) { return add(h, "", 1); }},
    {"temperature NaN", kInvalid, [](Handles& h) { return add(h, "temperature", kNan); }},
    {"temperature negative", kInvalid, [](Handles& h) { return add(h, "temperature", -0.1); }},
    {"temperature infinite", kInvalid, [](Handles& h) { return add(h, "temperature", HUGE_VAL); }},
    {"top_k negative", kInvalid, [](Handles& h) { return add(h, "top_k", -1); }},
    {"top_k NaN", kInvalid, [](Handles& h) { return add(h, "top_k", kNan); }},
    {"top_p over 1", kInvalid, [](Handles& h) { return add(h, "top_p", 1.5); }},
    {"top_p zero", kInvalid, [](Handles& h) { return add(h, "top_p", 0); }},
    {"top_p NaN", kInvalid, [](Handles& h) { return add(h, "top_p", kNan); }},
    {"min_p over 1", kInvalid, [](Handles& h) { return add(h, "min_p", 2); }},
    {"min_p NaN", kInvalid, [](Handles& h) { return add(h, "min_p", kNan); }},
    {"typical_p negative", kInvalid, [](Handles& h) { return add(h, "typical_p", -1); }},
    {"repeat_penalty zero", kInvalid, [](Handles& h) { return add(h, "repeat_penalty", 0); }},
    {"repeat_penalty NaN", kInvalid, [](Handles& h) { return add(h, "repeat_penalty", kNan); }},
    {"frequency_penalty NaN", kInvalid, [](Handles& h) { return add(h, "frequency_penalty", kNan); }},
    {"presence_penalty infinite", kInvalid, [](Handles& h) { return add(h, "presence_penalty", -HUGE_VAL); }},
    {"values NULL", kInvalid, [](Handles& h) { return lq_sampler_add_values(h.sampler, "top_k", nullptr, 1); }},
    {"values none", kInvalid, [](Handles& h) { return lq_sampler_add_values(h.sampler, "top_k", nullptr, 0); }},
    {"values too many", LQ_ERR_LIMIT,
     [](Handles& h) {
       const double v = 1;
       return lq_sampler_add_values(h.sampler, "top_k", &v, SIZE_MAX);
     }},
    {"callback NULL", kInvalid, [](Handles& h) { return lq_sampler_add_callback(h.sampler, nullptr, nullptr); }},
    {"bias NaN", kInvalid,
     [](Handles& h) {
       const int32_t id = 3;
       return lq_sampler_bias(h.sampler, &id, &kNanF, 1);
     }},
    {"bias negative id", kInvalid,
     [](Handles& h) {
       const int32_t id = -3;
       const float bias = 1;
       return lq_sampler_bias(h.sampler, &id, &bias, 1);
     }},
    {"bias NULL", kInvalid,
     [](Handles& h) {
       const int32_t id = 3;
       return lq_sampler_bias(h.sampler, &id, nullptr, 1);
     }},
    {"sample no logits", kInvalid,
     [](Handles& h) {
       int32_t id;
       return lq_sampler_sample(&id, h.sampler, nullptr, 0, nullptr, 0, 0);
     }},
    {"sample none finite", kInvalid,
     [](Handles& h) {
       const float logits[] = {kNanF, -HUGE_VALF, kNanF};
       int32_t id;
       return lq_sampler_sample(&id, h.sampler, logits, 3, nullptr, 0, 0);
     }},
    {"sample history id", kInvalid,
     [](Handles& h) {
       const float logits[] = {1, 2, 3};
       const int32_t history[] = {0, 3};
       int32_t id;
       return lq_sampler_sample(&id, h.sampler, logits, 3, history, 2, 0);
     }},
};

const BadRow kSession[] = {
    {"create kv type", kInvalid, [](Handles& h) { return create_session(h, [](auto& o) { o.kv_type = "q2"; }); }},
    {"create overflow", kInvalid, [](Handles& h) { return create_session(h, [](auto& o) { o.overflow = 9; }); }},
    {"create cap", LQ_ERR_OUT_OF_MEMORY,
     [](Handles& h) { return create_session(h, [](auto& o) { o.memory_cap = 100; }); }},
    {"create struct_size", kInvalid, [](Handles& h) { return create_session(h, [](auto& o) { o.struct_size = 1; }); }},
    {"set_prompt nothing", kInvalid, [](Handles& h) { return lq_session_set_prompt(nullptr, h.session, nullptr, 0); }},
    {"set_prompt NULL", kInvalid, [](Handles& h) { return lq_session_set_prompt(nullptr, h.session, nullptr, 4); }},
    {"set_prompt id", kInvalid,
     [](Handles& h) {
       const int32_t ids[] = {5, 267};
       return lq_session_set_prompt(nullptr, h.session, ids, 2);
     }},
    {"set_prompt too long", LQ_ERR_CONTEXT_FULL,
     [](Handles& h) {
       const std::vector<int32_t> ids(257, 5);
       return lq_session_set_prompt(nullptr, h.session, ids.data(), ids.size());
     }},
    {"set_prompt count", LQ_ERR_LIMIT,
     [](Handles& h) { return lq_session_set_prompt(nullptr, h.session, h.tokens.data(), SIZE_MAX); }},
    {"feed nothing", kInvalid, [](Handles& h) { return lq_session_feed(h.session, h.tokens.data(), 0); }},
    {"feed id", kInvalid,
     [](Handles& h) {
       const int32_t id = -5;
       return lq_session_feed(h.session, &id, 1);
     }},
    {"feed too much", LQ_ERR_CONTEXT_FULL,
     [](Handles& h) {
       const std::vector<int32_t> ids(253, 5);
       return lq_session_feed(h.session, ids.data(), ids.size());
     }},
    {"logits NULL", kInvalid, [](Handles& h) { return lq_session_logits(nullptr, nullptr, h.session); }},
    {"eval NULL", kInvalid,
     [](Handles& h) { return lq_session_eval(h.session, h.tokens.data(), 2, nullptr, nullptr); }},
    {"score id", kInvalid,
     [](Handles& h) {
       const int32_t ids[] = {5, 100000};
       double sum;
       return lq_session_score(&sum, nullptr, h.session, ids, 2);
     }},
    {"rewind beyond", kInvalid, [](Handles& h) { return lq_session_rewind(h.session, SIZE_MAX); }},
    {"save_file NULL", kInvalid, [](Handles& h) { return lq_session_save_file(h.session, nullptr); }},
    {"save_file nowhere", LQ_ERR_IO, [](Handles& h) { return lq_session_save_file(h.session, "/nonexistent/x"); }},
    {"load_file nowhere", LQ_ERR_NOT_FOUND,
     [](Handles& h) { return lq_session_load_file(h.session, "/nonexistent/x"); }},
    {"load nothing", LQ_ERR_BAD_FILE, [](Handles& h) { return lq_session_load(h.session, h.state.data(), 0); }},
    {"load NULL", kInvalid, [](Handles& h) { return lq_session_load(h.session, nullptr, 10); }},
    {"load size", LQ_ERR_LIMIT, [](Handles& h) { return lq_session_load(h.session, h.state.data(), SIZE_MAX); }},
    {"load half", LQ_ERR_BAD_FILE,
     [](Handles& h) { return lq_session_load(h.session, h.state.data(), h.state.size() / 2); }},
};

const BadRow kGenerate[] = {
    {"prompt length", LQ_ERR_LIMIT,
     [](Handles& h) { return lq_session_generate(nullptr, h.session, "x", SIZE_MAX - 7, nullptr, kIgnore, nullptr); }},
    {"prompt empty", kInvalid,
     [](Handles& h) { return lq_session_generate(nullptr, h.session, "", 0, nullptr, kIgnore, nullptr); }},
    {"result struct_size", kInvalid,
     [](Handles& h) {
       lq_result r = LQ_RESULT_INIT;
       r.struct_size = 4;
       return lq_session_generate(&r, h.session, "x", 1, nullptr, kIgnore, nullptr);
     }},
    {"logprobs", kInvalid, [](Handles& h) { return generate(h, [](auto& o) { o.logprobs = 101; }); }},
    {"reserved", kInvalid, [](Handles& h) { return generate(h, [](auto& o) { o.reserved = 1; }); }},
    {"reserved2", kInvalid, [](Handles& h) { return generate(h, [](auto& o) { o.reserved2 = 1; }); }},
    {"lookup too many", kInvalid, [](Handles& h) { return generate(h, [](auto& o) { o.lookup = 32; }); }},
    {"lookup negative", kInvalid, [](Handles& h) { return generate(h, [](auto& o) { o.lookup = -2; }); }},
    {"stop NULL", kInvalid, [](Handles& h) { return generate(h, [](auto& o) { o.stop_count = 2; }); }},
    {"stop count", LQ_ERR_LIMIT, [](Handles& h) { return generate(h, [](auto& o) { o.stop_count = SIZE_MAX; }); }},
    {"stop empty", kInvalid,
     [](Handles& h) {
       static const char* const stop[] = {"x", ""};
       return generate(h, [](auto& o) {
         o.stop = stop;
         o.stop_count = 2;
       });
     }},
    {"stop element NULL", kInvalid,
     [](Handles& h) {
       static const char* const stop[] = {nullptr};
       return generate(h, [](auto& o) {
         o.stop = stop;
         o.stop_count = 1;
       });
     }},
    {"stop token", kInvalid,
     [](Handles& h) {
       static const int32_t stop[] = {267};
       return generate(h, [](auto& o) {
         o.stop_tokens = stop;
         o.stop_token_count = 1;
       });
     }},
    {"sampler of another type", kInvalid,
     [](Handles& h) {
       static lq_sampler* wrong;
       wrong = reinterpret_cast<lq_sampler*>(h.cancel);
       return generate(h, [](auto& o) { o.sampler = wrong; });
     }},
    {"sampler with a bias outside the vocabulary", kInvalid,
     [](Handles& h) {
       const int32_t id = 5000;
       const float bias = 1;
       REQUIRE(lq_sampler_bias(h.sampler, &id, &bias, 1) == LQ_OK);
       static lq_sampler* sampler;
       sampler = h.sampler;
       return generate(h, [](auto& o) { o.sampler = sampler; });
     }},
    {"cancelled before it starts", LQ_ERR_CANCELLED,
     [](Handles& h) {
       static lq_cancel* cancel;
       cancel = h.cancel;
       lq_cancel_trigger(cancel);
       return generate(h, [](auto& o) { o.cancel = cancel; });
     },
     true},
    {"step without a start", kInvalid,
     [](Handles& h) {
       lq_event e = LQ_EVENT_INIT;
       return lq_session_step(&e, h.session, 100);
     }},
    {"step event NULL", kInvalid, [](Handles& h) { return lq_session_step(nullptr, h.session, 100); }},
    {"start tokens nothing", kInvalid,
     [](Handles& h) { return lq_session_start_tokens(h.session, nullptr, 0, nullptr); }},
    {"output NULL", kInvalid, [](Handles& h) { return lq_session_output(nullptr, nullptr, h.session); }},
    {"batch size", kInvalid,
     [](Handles& h) {
       lq_batch* b = nullptr;
       lq_batch_options o = LQ_BATCH_OPTIONS_INIT;
       o.max_sessions = UINT32_MAX;
       return lq_batch_create(&b, h.model, &o);
     }},
    {"batch of nothing", kInvalid,
     [](Handles& h) {
       lq_event e = LQ_EVENT_INIT;
       return lq_batch_step(&e, h.batch, &h.session, 0);
     }},
    {"batch of too many", LQ_ERR_LIMIT,
     [](Handles& h) {
       lq_event e = LQ_EVENT_INIT;
       return lq_batch_step(&e, h.batch, &h.session, SIZE_MAX);
     }},
    {"batch of a session that was not started", kInvalid,
     [](Handles& h) {
       lq_event e = LQ_EVENT_INIT;
       return lq_batch_step(&e, h.batch, &h.session, 1);
     }},
    {"batch of one session twice", kInvalid,
     [](Handles& h) {
       lq_session_start(h.session, "hello", 5, nullptr);
       lq_event events[2] = {LQ_EVENT_INIT, LQ_EVENT_INIT};
       lq_session* const twice[] = {h.session, h.session};
       return lq_batch_step(events, h.batch, twice, 2);
     },
     true},
    {"batch of a handle of another type", kInvalid,
     [](Handles& h) {
       lq_event e = LQ_EVENT_INIT;
       lq_session* wrong = reinterpret_cast<lq_session*>(h.model);
       return lq_batch_step(&e, h.batch, &wrong, 1);
     }},
    {"perplexity of too little", kInvalid,
     [](Handles& h) {
       lq_perplexity_result r = LQ_PERPLEXITY_RESULT_INIT;
       return lq_perplexity(&r, h.model, h.tokens.data(), h.tokens.size(), nullptr);
     }},
    {"perplexity stride over the window", kInvalid,
     [](Handles& h) {
       lq_perplexity_result r = LQ_PERPLEXITY_RESULT_INIT;
       lq_perplexity_options o = LQ_PERPLEXITY_OPTIONS_INIT;
       o.n_ctx = 4;
       o.stride = 5;
       return lq_perplexity(&r, h.model, h.tokens.data(), h.tokens.size(), &o);
     }},
    {"perplexity window", kInvalid,
     [](Handles& h) {
       lq_perplexity_result r = LQ_PERPLEXITY_RESULT_INIT;
       lq_perplexity_options o = LQ_PERPLEXITY_OPTIONS_INIT;
       o.n_ctx = 3;
       return lq_perplexity(&r, h.model, h.tokens.data(), h.tokens.size(), &o);
     }},
};

}  // namespace

TEST_CASE("wrong arguments to samplers are refused", "[capi]") { run(kSampler); }
TEST_CASE("wrong arguments to sessions are refused and change nothing", "[capi]") { run(kSession); }
TEST_CASE("wrong arguments to generation are refused and change nothing", "[capi]") { run(kGenerate); }
