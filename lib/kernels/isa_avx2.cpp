#include "loquor/kernels/table.hpp"
#include "loquor/simd/lanes_avx2.hpp"

namespace lq {
extern constinit const KernelTable table_avx2 = kernels::make_table<arch::Avx2>("avx2");
}
