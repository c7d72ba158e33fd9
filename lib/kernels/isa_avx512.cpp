#include "loquor/kernels/table.hpp"
#include "loquor/simd/lanes_avx512.hpp"

namespace lq {
extern constinit const KernelTable table_avx512 = kernels::make_table<arch::Avx512>("avx512");
}
