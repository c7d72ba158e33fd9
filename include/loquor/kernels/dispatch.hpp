// Choice of the kernel table of one instruction set, once per Context.
#pragma once

#include <string>
#include <string_view>

namespace lq {

struct KernelTable;  // kernels/table.hpp

// The table named `isa` (a row of isas.def). "" = LQ_FORCE_ISA from the environment if set, else the best row this CPU
// supports. Throws Error{unsupported} naming what was asked for and listing the rows this CPU and build have.
const KernelTable& select_kernels(std::string_view isa);

// The row's name, "avx2".
const char* kernels_name(const KernelTable& table) noexcept;

// The rows that this CPU and build support, best first, separated by commas: "avx2,scalar".
std::string supported_isas();

}  // namespace lq
