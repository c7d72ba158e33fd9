#include "family.hpp"

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr const Family* kFamilies[] = {
#define LQ_FAMILY(arch) &family_##arch,
#include "loquor/models/families.def"
#undef LQ_FAMILY
};

}  // namespace

std::span<const Family* const> families() noexcept { return kFamilies; }

const Family& find_family(std::string_view arch) {
  std::string known;
  for (const Family* family : kFamilies) {
    if (family->name == arch) return *family;
    known += (known.empty() ? "" : ", ") + std::string(family->name);
  }
  fail(Code::unsupported, "model: architecture '", arch.substr(0, 64), "' is not supported (known: ", known, ")");
}

}  // namespace lq
