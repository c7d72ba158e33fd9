#include "loquor/kernels/dispatch.hpp"

#include <cstdlib>

#include "cpu_features.hpp"
#include "loquor/core/status.hpp"

namespace lq {

#define LQ_ISA(name, needs) extern const KernelTable table_##name;
#include "isas.def"
#undef LQ_ISA

namespace {

struct IsaRow {
  std::string_view name;
  const KernelTable* table;
  bool (*supported)(const CpuFeatures&);
};

constexpr IsaRow kIsas[] = {
#define LQ_ISA(name, needs) {#name, &table_##name, []([[maybe_unused]] const CpuFeatures& f) { return needs; }},
#include "isas.def"
#undef LQ_ISA
};

}  // namespace

std::vector<std::string> available_isas() {
  const CpuFeatures cpu = detect_cpu();
  std::vector<std::string> names;
  for (const IsaRow& row : kIsas)
    if (row.supported(cpu)) names.emplace_back(row.name);
  return names;
}

const char* kernels_name(const KernelTable& table) noexcept {
  for (const IsaRow& row : kIsas)
    if (row.table == &table) return row.name.data();
  return "";
}

const KernelTable& select_kernels(std::string_view isa) {
  if (isa.empty())
    if (const char* forced = std::getenv("LQ_FORCE_ISA")) isa = forced;
  const CpuFeatures cpu = detect_cpu();
  for (const IsaRow& row : kIsas)
    if ((isa.empty() || isa == row.name) && row.supported(cpu)) return *row.table;
  std::string known;
  for (const std::string& name : available_isas()) known += (known.empty() ? "" : ", ") + name;
  fail(Code::unsupported, "isa: this CPU does not support '", isa, "'; it can run ", known);
}

}  // namespace lq
