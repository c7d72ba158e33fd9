#include "session.hpp"

namespace lq::capi {

namespace {

constexpr std::size_t kMaxSessions = 1024;

struct BatchObject final : Object {
  static constexpr Kind kKind = Kind::batch;
  BatchObject(std::shared_ptr<const Model> m, std::size_t most)
      : Object(kKind), model(std::move(m)), batch(model, most), max_sessions(most) {}
  std::shared_ptr<const Model> model;
  Batch batch;
  std::size_t max_sessions;
};

// The sessions of a call, pinned.
struct Members {
  std::vector<Use<SessionObject>> pins;
  std::vector<Session*> sessions;
  std::vector<Event> events;

  Members(const Call& call, lq_session* const* handles, std::size_t count, std::size_t most) {
    const auto list = array_arg(call, handles, count, "sessions", kMaxSessions);
    LQ_CHECK(!list.empty() && list.size() <= most, Code::invalid_argument, call.function(), ": count is ", count,
             ", expected 1 to ", most);
    for (lq_session* handle : list) {
      pins.emplace_back(call, handle, "sessions[i]");
      sessions.push_back(&pins.back()->session);
    }
    events.resize(list.size());
  }
};

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_batch_create(lq_batch** out, lq_model* model, const lq_batch_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const ModelObject& m = call.on<ModelObject>(model, "model");
    const auto o = options_arg<lq_batch_options>(call, options, LQ_BATCH_OPTIONS_INIT);
    LQ_CHECK(o.max_sessions <= kMaxSessions, Code::invalid_argument, call.function(), ": max_sessions is ",
             o.max_sessions, ", at most ", kMaxSessions);
    *out = new_handle<BatchObject, lq_batch>(m.model, o.max_sessions ? o.max_sessions : 16);
  });
}

void lq_batch_free(lq_batch* batch) noexcept { free_handle(batch, Kind::batch); }

lq_status lq_batch_step(lq_event* events, lq_batch* batch, lq_session* const* sessions, size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    const std::size_t stride = out_struct_size(call, events, "events");
    BatchObject& b = call.on<BatchObject>(batch, "batch");
    Members members(call, sessions, count, b.max_sessions);
    b.batch.step(members.sessions, members.events);
    auto* at = reinterpret_cast<unsigned char*>(events);
    for (std::size_t i = 0; i < count; ++i, at += stride) {
      const auto size = static_cast<std::uint32_t>(stride);
      std::memcpy(at, &size, sizeof size);
      write_struct(reinterpret_cast<lq_event*>(at), to_c(members.events[i], members.pins[i]->top));
    }
  });
}

lq_status lq_batch_run(lq_batch* batch, lq_session* const* sessions, size_t count, lq_batch_fn callback,
                       void* user) noexcept {
  return guard(__func__, [&](Call& call) {
    BatchObject& b = call.on<BatchObject>(batch, "batch");
    Members members(call, sessions, count, b.max_sessions);
    std::vector<bool> told(count);  // that it is done
    for (std::size_t left = count; left > 0;) {
      b.batch.step(members.sessions, members.events);
      for (std::size_t i = 0; i < count; ++i) {
        const Event& e = members.events[i];
        if (told[i] || e.kind == EventKind::working) continue;
        if (e.kind == EventKind::done) {
          told[i] = true;
          --left;
        }
        if (!callback) continue;
        const lq_event c = to_c(e, members.pins[i]->top);
        if (callback(i, &c, user) != 0 && e.kind == EventKind::token) members.sessions[i]->stop(Finish::callback);
      }
    }
  });
}

}  // extern "C"
