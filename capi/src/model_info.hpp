// What a model file holds and needs, as a structure and as JSON, from its header alone.
#pragma once

#include <string>

#include "loquor/core/dtype.hpp"
#include "loquor/formats/catalog.hpp"
#include "loquor/formats/gguf.hpp"
#include "lq_model.h"

namespace lq::capi {

// n_ctx 0 = as the model was trained. Throws what Decoder::read_spec throws, unless the file has no tensors.
lq_model_info model_info(const GgufFile& file, std::size_t n_ctx, DType kv_type);
std::string model_info_json(const GgufFile& file, const std::string& path, std::size_t n_ctx, DType kv_type);

// A value as text: strings as they are, numbers in decimal, arrays as JSON.
std::string metadata_text(const GgufValue& value);

lq_catalogue_entry catalogue_entry(const CatalogEntry& entry);

}  // namespace lq::capi
