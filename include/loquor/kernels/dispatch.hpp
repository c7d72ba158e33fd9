// Choosing the kernels for this CPU.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lq {

struct KernelTable;

// `isa` names a row of isas.def; "" means LQ_FORCE_ISA from the environment, or else the first row this CPU supports.
// Throws Error{unsupported}, listing those available, for one this CPU or build does not have.
const KernelTable& select_kernels(std::string_view isa = {});

// The instruction sets this CPU can run, best first; "scalar" is always among them.
std::vector<std::string> available_isas();

// The row's name, "avx2"; "" for a table that is no row's.
const char* kernels_name(const KernelTable& table) noexcept;

}  // namespace lq
