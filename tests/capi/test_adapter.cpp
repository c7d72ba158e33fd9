// LoRA adapters through the C interface and the C++ layer, over the tiny model.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "arguments.hpp"
#include "calls.hpp"
#include "loquor.hpp"

using namespace lq_test;

namespace {

lq_status set(Handles& h, lq_adapter* adapter, float scale, size_t count = 1) {
  return lq_session_set_adapters(h.session, &adapter, &scale, count);
}

const BadRow kWrong[] = {
    {"load NULL", kInvalid, [](Handles& h) { return lq_adapter_load(nullptr, h.model, h.path.c_str()); }},
    {"path NULL", kInvalid,
     [](Handles& h) {
       lq_adapter* a = nullptr;
       return lq_adapter_load(&a, h.model, nullptr);
     }},
    {"a model's file", LQ_ERR_BAD_FILE,
     [](Handles& h) {
       lq_adapter* a = nullptr;
       return lq_adapter_load(&a, h.model, h.path.c_str());
     }},
    {"no file", LQ_ERR_NOT_FOUND,
     [](Handles& h) {
       lq_adapter* a = nullptr;
       return lq_adapter_load(&a, h.model, (h.path + ".none").c_str());
     }},
    {"an encoder", kInvalid,
     [](Handles& h) {
       lq_adapter* a = nullptr;
       return lq_adapter_load(&a, h.encoder, (h.path + ".adapter").c_str());
     }},
    {"targets NULL", kInvalid, [](Handles& h) { return lq_adapter_targets(nullptr, h.adapter); }},
    {"adapters NULL", kInvalid, [](Handles& h) { return lq_session_set_adapters(h.session, nullptr, nullptr, 1); }},
    {"an adapter NULL", kInvalid, [](Handles& h) { return set(h, nullptr, 1); }},
    {"too many", LQ_ERR_LIMIT, [](Handles& h) { return set(h, h.adapter, 1, 65); }},
    {"scale NaN", kInvalid, [](Handles& h) { return set(h, h.adapter, kNanF); }},
    {"another model's", kInvalid,
     [](Handles& h) {
       Handles other;
       return set(h, other.adapter, 1);
     }},
};

lq_status merge(Handles& h, const char* type, const std::string& path, float scale, size_t count = 1) {
  const char* paths = path.c_str();
  return lq_merge_adapters(nullptr, h.context, h.path.c_str(), (h.path + ".quantized").c_str(), type, &paths, &scale,
                           count, nullptr);
}

const BadRow kWrongMerge[] = {
    {"no adapters", kInvalid, [](Handles& h) { return merge(h, nullptr, h.path + ".adapter", 1, 0); }},
    {"too many", LQ_ERR_LIMIT, [](Handles& h) { return merge(h, nullptr, h.path + ".adapter", 1, 65); }},
    {"type", kInvalid, [](Handles& h) { return merge(h, "q3_x", h.path + ".adapter", 1); }},
    {"scale NaN", kInvalid, [](Handles& h) { return merge(h, nullptr, h.path + ".adapter", kNanF); }},
    {"a model as adapter", LQ_ERR_BAD_FILE, [](Handles& h) { return merge(h, nullptr, h.path, 1); }},
    {"no adapter there", LQ_ERR_NOT_FOUND, [](Handles& h) { return merge(h, nullptr, h.path + ".none", 1); }},
    {"paths NULL", kInvalid,
     [](Handles& h) {
       return lq_merge_adapters(nullptr, h.context, h.path.c_str(), (h.path + ".quantized").c_str(), nullptr, nullptr,
                                nullptr, 1, nullptr);
     }},
    {"target is the source", kInvalid,
     [](Handles& h) {
       const std::string adapter = h.path + ".adapter";
       const char* paths = adapter.c_str();
       return lq_merge_adapters(nullptr, h.context, h.path.c_str(), h.path.c_str(), nullptr, &paths, nullptr, 1,
                                nullptr);
     }},
};

}  // namespace

TEST_CASE("wrong arguments to merging are refused and write nothing", "[capi]") { run(kWrongMerge); }

TEST_CASE("wrong arguments to adapters are refused and change nothing", "[capi]") { run(kWrong); }

namespace {

std::vector<float> logits_of(loquor::Session& s, std::size_t n) { return {s.logits(), s.logits() + n}; }

}  // namespace

TEST_CASE("a session's adapters change its logits and can be taken off again", "[capi]") {
  Handles h;
  const loquor::Model model(h.path);
  const std::size_t n = model.info().n_vocab;
  loquor::Session session(model);
  session.set_prompt({262, 35, 265, 114});
  const std::vector<float> plain = logits_of(session, n);
  const loquor::Adapter adapter(model, h.path + ".adapter");
  CHECK(adapter.targets() == 1);
  session.set_adapters({{&adapter, 1.0f}});
  CHECK(session.tokens().size() == 4);
  const std::vector<float> adapted = logits_of(session, n);
  CHECK(adapted != plain);
  session.set_adapters({{&adapter, 0.25f}, {&adapter, 0.75f}});
  const std::vector<float> twice = logits_of(session, n);
  double worst = 0;
  for (std::size_t i = 0; i < twice.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(twice[i]) - static_cast<double>(adapted[i])));
  CHECK(worst < 0.05);
  session.set_adapters({});
  CHECK(logits_of(session, n) == plain);
}

TEST_CASE("a merged model says what the adapter says", "[capi]") {
  Handles h;
  const std::string adapter = h.path + ".adapter", target = h.path + ".quantized";
  const auto logits = [](const loquor::Model& model, const std::vector<std::pair<const loquor::Adapter*, float>>& with) {
    loquor::Session session(model);
    session.set_adapters(with);
    session.set_prompt({262, 35, 265, 114});
    return logits_of(session, model.info().n_vocab);
  };
  const loquor::Model model(h.path);
  const loquor::Adapter loaded(model, adapter);
  const std::vector<float> plain = logits(model, {}), adapted = logits(model, {{&loaded, 0.5f}});
  const lq_quantize_result r = loquor::merge_adapters(h.path, {{adapter, 0.25f}, {adapter, 0.25f}}, target, "F32");
  CHECK(r.merged == 1);
  const std::vector<float> merged = logits(loquor::Model(target), {});
  double worst = 0, moved = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(merged[i]) - static_cast<double>(adapted[i])));
    moved = std::max(moved, std::abs(static_cast<double>(plain[i]) - static_cast<double>(adapted[i])));
  }
  INFO(worst << " of " << moved);
  CHECK(worst < 0.15 * moved);
}
