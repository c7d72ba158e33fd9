#include "model.hpp"

#include "args.hpp"
#include "loquor/formats/catalog.hpp"
#include "loquor/models/hf_folder.hpp"
#include "lq_model.h"
#include "model_info.hpp"

namespace lq::capi {

DType kv_type_arg(const Call& call, const char* name) {
  if (!name || !*name) return DType::F16;
  const std::string text = name_arg(call, name, "kv_type");
  const auto type = type_from_name(text);
  LQ_CHECK(type && (*type == DType::F16 || *type == DType::Q8_0 || *type == DType::F32), Code::invalid_argument,
           call.function(), ": kv_type is '", std::string_view(text).substr(0, 32), "', expected f16, q8_0 or f32");
  return *type;
}

namespace {

ModelOptions model_options(const Call& call, const lq_model_options& o) {
  LQ_CHECK(o.compute == LQ_COMPUTE_QUANTIZED || o.compute == LQ_COMPUTE_F32, Code::invalid_argument, call.function(),
           ": compute is ", o.compute, ", expected an lq_compute");
  ModelOptions m;
  m.compute = o.compute == LQ_COMPUTE_F32 ? Compute::reference : Compute::quantized;
  m.vocab_only = o.vocab_only != 0;
  m.private_copy = o.private_copy != 0;
  m.memory_cap = o.memory_cap;
  if (o.progress)
    m.progress = [fn = o.progress, user = o.progress_user](float fraction) { return fn(fraction, user) == 0; };
  return m;
}

// Loads through `load(context, options)` with the options of the C interface.
template <class Load>
lq_model* load_model(Call& call, lq_context* context, const lq_model_options* options, Load&& load) {
  const std::shared_ptr<const Context>& ctx = call.on<ContextObject>(context, "context").context;
  const auto o = options_arg<lq_model_options>(call, options, LQ_MODEL_OPTIONS_INIT);
  ModelOptions m = model_options(call, o);
  Use<CancelObject> cancel;
  if (o.cancel) {
    cancel = Use<CancelObject>(call, o.cancel, "options.cancel");
    m.cancel = cancel->flag.get();
  }
  return new_handle<ModelObject, lq_model>(load(ctx, m));
}

struct InspectArgs {
  std::size_t n_ctx;
  DType kv_type;
};

InspectArgs inspect_args(const Call& call, const lq_inspect_options* options) {
  const auto o = options_arg<lq_inspect_options>(call, options, LQ_INSPECT_OPTIONS_INIT);
  return {o.n_ctx, kv_type_arg(call, o.kv_type)};
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_model_load(lq_model** out, lq_context* context, const char* source,
                        const lq_model_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const std::string name = name_arg(call, source, "source");
    *out = load_model(call, context, options,
                      [&](const auto& ctx, const ModelOptions& m) { return Model::load(ctx, name, m); });
  });
}

lq_status lq_model_load_memory(lq_model** out, lq_context* context, const void* data, size_t size,
                               const lq_model_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const auto bytes = array_arg(call, static_cast<const std::byte*>(data), size, "data", std::size_t{1} << 46);
    *out = load_model(call, context, options,
                      [&](const auto& ctx, const ModelOptions& m) { return Model::load(ctx, bytes, m); });
  });
}

void lq_model_free(lq_model* model) noexcept { free_handle(model, Kind::model); }

lq_status lq_model_error(char* out, size_t capacity, size_t* length, const lq_model* model) noexcept {
  return object_error(__func__, out, capacity, length, model, Kind::model);
}

lq_status lq_model_inspect(lq_model_info* out, lq_context* context, const char* source,
                           const lq_inspect_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    write_struct(out, lq_model_info LQ_MODEL_INFO_INIT);
    call.on<ContextObject>(context, "context");
    const InspectArgs args = inspect_args(call, options);
    const GgufFile file = open_model_source(resolve_model(name_arg(call, source, "source")));
    write_struct(out, model_info(file, args.n_ctx, args.kv_type));
  });
}

lq_status lq_model_inspect_json(char* out, size_t capacity, size_t* length, lq_context* context, const char* source,
                                const lq_inspect_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    call.on<ContextObject>(context, "context");
    const InspectArgs args = inspect_args(call, options);
    const std::string path = resolve_model(name_arg(call, source, "source"));
    const GgufFile file = open_model_source(path);
    write_text(call, out, capacity, length, model_info_json(file, path, args.n_ctx, args.kv_type));
  });
}

lq_status lq_model_get_info(lq_model_info* out, const lq_model* model, const lq_inspect_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    write_struct(out, lq_model_info LQ_MODEL_INFO_INIT);
    const ModelObject& m = call.on<ModelObject>(model, "model");
    const InspectArgs args = inspect_args(call, options);
    lq_model_info info = model_info(m.model->file(), args.n_ctx, args.kv_type);
    if (!m.model->decoder() && !m.model->encoder()) info.vocab_only = 1;
    write_struct(out, info);
  });
}

lq_status lq_model_load_ms(double* out, const lq_model* model) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<ModelObject>(model, "model").model->load_ms();
  });
}

lq_status lq_model_metadata_count(size_t* out, const lq_model* model) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<ModelObject>(model, "model").model->file().metadata().size();
  });
}

lq_status lq_model_metadata_key(char* out, size_t capacity, size_t* length, const lq_model* model,
                                size_t index) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    const auto entries = call.on<ModelObject>(model, "model").model->file().metadata();
    LQ_CHECK(index < entries.size(), Code::invalid_argument, call.function(), ": index is ", index, ", the file has ",
             entries.size(), " keys");
    write_text(call, out, capacity, length, entries[index].key);
  });
}

lq_status lq_model_metadata_value(char* out, size_t capacity, size_t* length, const lq_model* model,
                                  const char* key) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    const GgufFile& file = call.on<ModelObject>(model, "model").model->file();
    const std::string name = name_arg(call, key, "key");
    const GgufValue* value = file.find(name);
    LQ_CHECK(value, Code::not_found, call.function(), ": the file has no key '", name, "'");
    write_text(call, out, capacity, length, metadata_text(*value));
  });
}

lq_status lq_catalogue_count(size_t* out) noexcept {
  return guard(__func__, [&](Call& call) { out_param(call, out, "out") = catalog().size(); });
}

lq_status lq_catalogue_get(lq_catalogue_entry* out, size_t index) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    write_struct(out, lq_catalogue_entry LQ_CATALOGUE_ENTRY_INIT);
    LQ_CHECK(index < catalog().size(), Code::invalid_argument, call.function(), ": index is ", index,
             ", the catalogue has ", catalog().size(), " models");
    write_struct(out, catalogue_entry(catalog()[index]));
  });
}

lq_status lq_model_path(char* out, size_t capacity, size_t* length, const char* source) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    const std::string name = name_arg(call, source, "source");
    const CatalogEntry* entry = find_model(name);
    write_text(call, out, capacity, length, entry ? cached_path(*entry) : resolve_model(name));
  });
}

}  // extern "C"
