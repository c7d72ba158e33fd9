#include "loquor/formats/catalog.hpp"

#include <cstdlib>
#include <filesystem>

#include "loquor/core/registry.hpp"
#include "loquor/core/status.hpp"

namespace lq {

namespace {

constexpr CatalogEntry kCatalog[] = {
#define LQ_MODEL(name, title, file, bytes, sha256, licence, source) {name, title, file, bytes, sha256, licence, source},
#include "loquor/formats/catalog.def"
#undef LQ_MODEL
};

std::string cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string own = variable("LOQUOR_CACHE"); !own.empty()) return own;
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/loquor";
  const std::string home = variable("HOME");
  LQ_CHECK(!home.empty(), Code::not_found,
           "catalogue: no cache folder: none of LOQUOR_CACHE, XDG_CACHE_HOME and HOME is set");
  return home + "/.cache/loquor";
}

}  // namespace

std::span<const CatalogEntry> catalog() noexcept { return kCatalog; }

const CatalogEntry* find_model(std::string_view name) noexcept { return find_row(catalog(), name); }

std::string cached_path(const CatalogEntry& entry) { return cache_folder() + "/models/" + std::string(entry.file); }

std::string resolve_model(const std::string& source) {
  std::error_code error;
  if (const CatalogEntry* entry = find_model(source)) {
    std::string path = cached_path(*entry);
    LQ_CHECK(std::filesystem::exists(path, error), Code::not_found, "model '", source,
             "' is not in the cache: expected ", path, " (", entry->bytes, " bytes, from ", entry->source, ")");
    return path;
  }
  LQ_CHECK(std::filesystem::exists(source, error), Code::not_found, "model '", source,
           "' is neither a file nor a known name (", row_names(catalog()), ")");
  return source;
}

}  // namespace lq
