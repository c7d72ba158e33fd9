#include "loquor/core/status.hpp"

namespace lq {

const char* code_name(Code code) noexcept {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::not_found:
      return "not_found";
    case Code::io:
      return "io";
    case Code::bad_file:
      return "bad_file";
    case Code::unsupported:
      return "unsupported";
    case Code::out_of_memory:
      return "out_of_memory";
    case Code::context_full:
      return "context_full";
    case Code::cancelled:
      return "cancelled";
    case Code::limit:
      return "limit";
    case Code::mismatch:
      return "mismatch";
    case Code::template_error:
      return "template_error";
    case Code::forked:
      return "forked";
    case Code::internal:
      return "internal";
    case Code::buffer_too_small:
      return "buffer_too_small";
  }
  return "unknown";
}

}  // namespace lq
