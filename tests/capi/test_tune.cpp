// Fine-tuning through the C interface and the C++ layer, over the tiny model.
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <string>

#include "arguments.hpp"
#include "calls.hpp"
#include "loquor.hpp"

using namespace lq_test;

namespace {

// Two updates on one example after `change` to the options.
template <class Change>
lq_status run_with(Handles& h, const Change& change) {
  lq_report* r = nullptr;
  const std::string data = h.mmlu + "/tune.jsonl", out = h.mmlu + "/adapter";
  lq_train_options t = LQ_TRAIN_OPTIONS_INIT;
  lq_finetune_options o = LQ_FINETUNE_OPTIONS_INIT;
  t.steps = 2;
  o.data = data.c_str();
  o.out = out.c_str();
  o.max_tokens = 8;
  o.train = &t;
  change(o, t);
  return freed(lq_finetune(&r, h.model, &o), r, lq_report_free);
}

using Options = lq_finetune_options;
using Train = lq_train_options;

const BadRow kWrong[] = {
    {"options NULL", kInvalid,
     [](Handles& h) {
       lq_report* r = nullptr;
       return freed(lq_finetune(&r, h.model, nullptr), r, lq_report_free);
     }},
    {"data NULL", kInvalid, [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.data = nullptr; }); }},
    {"out NULL", kInvalid, [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.out = nullptr; }); }},
    {"no file", LQ_ERR_IO, [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.data = "/nonexistent"; }); }},
    {"no folder can be made", LQ_ERR_IO,
     [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.out = "/proc/none/x"; }); }},
    {"unknown target", kInvalid,
     [](Handles& h) {
       static const char* const nose = "nose";
       return run_with(h, [](Options& o, Train&) {
         o.targets = &nose;
         o.target_count = 1;
       });
     }},
    {"targets NULL", kInvalid, [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.target_count = 1; }); }},
    {"texts longer than the context", kInvalid,
     [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.max_tokens = 100000; }); }},
    {"nothing to learn", kInvalid,
     [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.max_tokens = 2; }); }},
    {"rank", kInvalid, [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.rank = 4000; }); }},
    {"dropout", kInvalid, [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.dropout = 1; }); }},
    {"a checkpoint of its own", kInvalid,
     [](Handles& h) { return run_with(h, [](Options&, Train& t) { t.checkpoint = "x"; }); }},
    {"reserved", kInvalid, [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.reserved = 1; }); }},
    {"all of it held out", kInvalid,
     [](Handles& h) { return run_with(h, [](Options& o, Train&) { o.eval_fraction = 1; }); }},
};

}  // namespace

TEST_CASE("wrong arguments to fine-tuning are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("an adapter is trained, loads and is worn", "[capi]") {
  Handles h;
  REQUIRE(run_with(h, [](Options&, Train&) {}) == LQ_OK);
  for (const char* name : {"/adapter", "/adapter/adapter.gguf"}) {
    lq_adapter* a = nullptr;
    REQUIRE(lq_adapter_load(&a, h.model, (h.mmlu + name).c_str()) == LQ_OK);
    const float scale = 1;
    CHECK(lq_session_set_adapters(h.session, &a, &scale, 1) == LQ_OK);
    lq_adapter_free(a);
  }
}

TEST_CASE("fine-tuning ends when it is told to", "[capi]") {
  Handles h;
  REQUIRE(lq_cancel_trigger(h.cancel) == LQ_OK);
  CHECK(run_with(h, [&](Options& o, Train&) { o.cancel = h.cancel; }) == LQ_ERR_CANCELLED);
  CHECK(std::filesystem::exists(h.mmlu + "/adapter/checkpoint.safetensors"));
  REQUIRE(lq_cancel_reset(h.cancel) == LQ_OK);
  std::uint64_t steps = 0;
  CHECK(run_with(h, [&](Options& o, Train&) {
          o.progress = [](const lq_train_progress* p, void* user) {
            *static_cast<std::uint64_t*>(user) = p->step;
            return 1;
          };
          o.progress_user = &steps;
        }) == LQ_OK);
  CHECK(steps == 1);
}

TEST_CASE("the C++ layer fine-tunes", "[capi]") {
  Handles h;
  const loquor::Model model(h.path);
  loquor::FinetuneOptions o;
  o.data = h.mmlu + "/tune.jsonl";
  o.eval_data = o.data;
  o.out = h.mmlu + "/adapter";
  o.max_tokens = 8;
  o.train.steps = 3;
  std::uint64_t seen = 0;
  o.progress = [&](const lq_train_progress& p) { return (seen = p.step) != 0; };
  const std::string report = loquor::finetune(model, o);
  CHECK(seen == 3);
  CHECK(report.find("\"steps\":3") != std::string::npos);
  CHECK(report.find("\"perplexity_after\":") != std::string::npos);
  o.progress = [](const lq_train_progress&) -> bool { throw std::string("mine"); };
  CHECK_THROWS_AS(loquor::finetune(model, o), std::string);
}
