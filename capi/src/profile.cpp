#include "lq_profile.h"

#include "session.hpp"

using namespace lq;
using namespace lq::capi;

namespace {

std::size_t parts(const SessionObject& s) noexcept { return s.session.profile() ? kPassPartNames.size() : 0; }

}  // namespace

extern "C" {

lq_status lq_session_profile(lq_session* session, int on) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    LQ_CHECK(on == 0 || on == 1, Code::invalid_argument, call.function(), ": on is ", on, ", expected 0 or 1");
    s.session.profile(on == 1);
  });
}

lq_status lq_session_profile_parts(size_t* count, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, count, "count") = 0;
    *count = parts(call.on<SessionObject>(session, "session"));
  });
}

lq_status lq_session_profile_part(lq_profile_part* out, const lq_session* session, size_t i) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    lq_profile_part c = LQ_PROFILE_PART_INIT;
    write_struct(out, c);
    const SessionObject& s = call.on<SessionObject>(session, "session");
    LQ_CHECK(i < parts(s), Code::invalid_argument, call.function(), ": part ", i, " of ", parts(s));
    const PassProfile::Part& part = s.session.profile()->parts[i];
    c.name = kPassPartNames[i].data();
    c.calls = part.calls;
    c.seconds = part.seconds;
    c.bytes = part.bytes;
    write_struct(out, c);
  });
}

}  // extern "C"
