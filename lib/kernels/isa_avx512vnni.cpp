#include "loquor/kernels/table.hpp"
#include "loquor/simd/lanes_avx512.hpp"

namespace lq {
extern constinit const KernelTable table_avx512vnni = kernels::make_table<arch::Avx512Vnni>("avx512vnni");
}
