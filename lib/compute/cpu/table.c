#include "compute/cpu/cpu.h"
#include "compute/cpu/fast.h"

const struct ops cpu_reference = {
    .abi = OPS_ABI,
    .name = "ref",
#define ROW(name, args) .name = cpu_##name,
#include "compute/ops.def"
#undef ROW
};

void cpu_fast_rows(struct ops *t)
{
    t->name = "cpu";
    t->close = fast_close;
#define FAST(name) t->name = fast_##name;
#include "compute/cpu/fast.def"
#undef FAST
}
