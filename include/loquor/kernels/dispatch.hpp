// Choice of the kernel table of one instruction set, once per Context.
#pragma once

#include <string_view>

namespace lq {

struct KernelTable;  // kernels/table.hpp

// The table named `isa` (a row of isas.def). "" = LQ_FORCE_ISA from the environment if set, else the best row this CPU
// supports. Throws Error{unsupported} naming what was asked for and listing the rows this CPU and build have.
const KernelTable& select_kernels(std::string_view isa);

}  // namespace lq
