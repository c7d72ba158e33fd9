#include "loquor/kernels/table.hpp"
#include "loquor/simd/lanes_scalar.hpp"

namespace lq {
extern constinit const KernelTable table_scalar = kernels::make_table<arch::Scalar>("scalar");
}
