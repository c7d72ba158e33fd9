#include "loquor/formats/quantize.hpp"

#include "args.hpp"
#include "base.hpp"
#include "loquor/formats/catalog.hpp"
#include "loquor/models/hf_folder.hpp"
#include "loquor/models/merge.hpp"
#include "loquor/quant/rows.hpp"
#include "lq_adapter.h"
#include "lq_model.h"

namespace lq::capi {
template <>
inline constexpr std::size_t kFirstSize<lq_quantize_result> = offsetof(lq_quantize_result, merged);

namespace {

DType type_arg(const Call& call, const char* text, const char* argument) {
  const std::string name = name_arg(call, text, argument);
  const auto type = type_from_name(name);
  LQ_CHECK(type && is_encodable_type(*type), Code::invalid_argument, call.function(), ": ", argument, " is '",
           std::string_view(name).substr(0, 32), "', expected one of ", encodable_type_names());
  return *type;
}

lq_quantize_result result_of(const QuantizeResult& r) {
  lq_quantize_result out = LQ_QUANTIZE_RESULT_INIT;
  out.tensors = static_cast<std::uint32_t>(r.tensors);
  out.converted = static_cast<std::uint32_t>(r.converted);
  out.requantized = static_cast<std::uint32_t>(r.requantized);
  out.merged = static_cast<std::uint32_t>(r.edited);
  out.odd = static_cast<std::uint32_t>(r.odd);
  out.head = name(r.head).data();  // a literal
  out.source_bytes = r.source_bytes;
  out.target_bytes = r.target_bytes;
  return out;
}

// A call that writes a model file.
struct Job {
  const Context& ctx;
  std::string source, target;
  QuantizeOptions options;
};

template <class Fn>
void write_model(Call& call, lq_quantize_result* out, lq_context* context, const char* source, const char* target,
                 const lq_quantize_options* options, const Fn& fn) {
  if (out) {
    out_struct_size(call, out, "out");
    write_struct(out, lq_quantize_result LQ_QUANTIZE_RESULT_INIT);
  }
  const std::shared_ptr<const Context>& ctx = call.on<ContextObject>(context, "context").context;
  const auto o = options_arg<lq_quantize_options>(call, options, LQ_QUANTIZE_OPTIONS_INIT);
  Job job{*ctx, name_arg(call, source, "source"), name_arg(call, target, "target"), {}};
  QuantizeOptions& q = job.options;
  if (o.head && *o.head) q.head = type_arg(call, o.head, "options.head");
  if (o.progress)
    q.progress = [fn = o.progress, user = o.progress_user](float fraction) { return fn(fraction, user) == 0; };
  Use<CancelObject> cancel;
  if (o.cancel) {
    cancel = Use<CancelObject>(call, o.cancel, "options.cancel");
    q.cancel = cancel->flag.get();
  }
  const QuantizeResult result = fn(job);
  if (out) write_struct(out, result_of(result));
}

}  // namespace
}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" lq_status lq_quantize(lq_quantize_result* out, lq_context* context, const char* source, const char* target,
                                 const char* type, const lq_quantize_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    write_model(call, out, context, source, target, options, [&](Job& job) {
      job.options.type = type_arg(call, type, "type");
      return quantize_gguf(job.ctx, open_model_source(resolve_model(job.source)), job.target, job.options);
    });
  });
}

extern "C" lq_status lq_merge_adapters(lq_quantize_result* out, lq_context* context, const char* source,
                                       const char* target, const char* type, const char* const* paths,
                                       const float* scales, size_t count, const lq_quantize_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    write_model(call, out, context, source, target, options, [&](Job& job) {
      job.options.type = type && *type ? std::optional(type_arg(call, type, "type")) : std::nullopt;
      constexpr std::size_t kMost = 64;
      std::vector<MergePart> parts;
      for (const char* path : array_arg(call, paths, count, "paths", kMost))
        parts.push_back({name_arg(call, path, "paths[i]"), scales ? scales[parts.size()] : 1.0f});
      return merge_adapters(job.ctx, open_model_source(resolve_model(job.source)), parts, job.target, job.options);
    });
  });
}
