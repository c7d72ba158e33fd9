// The models known by a short name (rows of catalog.def) and where their files are cached. No network: fetching is the
// host's business (scripts/fetch_model.py here).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lq {

// All strings are constants, NUL-terminated.
struct CatalogEntry {
  std::string_view name;   // "smollm2"
  std::string_view title;  // "SmolLM2-135M-Instruct"
  std::string_view file;   // file name in the cache
  std::uint64_t bytes;
  std::string_view sha256;   // 64 hexadecimal digits
  std::string_view licence;  // SPDX identifier
  std::string_view source;   // where it comes from, in words
};

std::span<const CatalogEntry> catalog() noexcept;

// nullptr if no row has this name.
const CatalogEntry* find_model(std::string_view name) noexcept;

// <cache>/models/<file>, whether it is there or not. The cache is $LOQUOR_CACHE, else $XDG_CACHE_HOME/loquor, else
// $HOME/.cache/loquor. Throws Error{not_found} if none of them is set.
std::string cached_path(const CatalogEntry& entry);

// A catalogue name to the path of its file in the cache, anything else to itself. Throws Error{not_found} for a name
// whose file is not cached (saying where it was expected) and for what is neither a name nor an existing file.
std::string resolve_model(const std::string& source);

}  // namespace lq
