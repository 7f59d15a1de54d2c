#include "compute/cpu/cpu.h"
#include "compute/cpu/fast.h"

const struct ops cpu_reference = {
    .abi = OPS_ABI,
    .name = "ref",
#define ROW(name, args) .name = cpu_##name,
#include "compute/ops.def"
#undef ROW
};

#ifdef __x86_64__
void fast_rows_v3(struct ops *t);
void fast_rows_v4(struct ops *t);

static void choose_rows(struct ops *t)
{
    bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    bool has_v4 = has_v3 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");

    if (has_v4) fast_rows_v4(t);
    else if (has_v3) fast_rows_v3(t);
    else fast_rows_v1(t);
}
#else
static void choose_rows(struct ops *t)
{
    fast_rows_v1(t);
}
#endif

void cpu_fast_rows(struct ops *t)
{
    t->name = "cpu";
    t->close = fast_close;
    choose_rows(t);
}
