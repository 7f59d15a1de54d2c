#include "compute/cpu/cpu.h"
#include "compute/cpu/fast.h"
#include <stdlib.h>
#include <string.h>

const struct ops cpu_reference = {
    .abi = OPS_ABI,
    .name = "ref",
#define ROW(name, args) .name = cpu_##name,
#include "compute/ops.def"
#undef ROW
};

/* The levels that Makefile compiles, the best one last, and whether this processor has them. */
struct level {
    const char *name;
    void (*rows)(struct ops *t);
    bool is_here;
};

#ifdef __x86_64__
void fast_rows_v3(struct ops *t);
void fast_rows_v4(struct ops *t);
void fast_rows_v4b(struct ops *t);

static int list_levels(struct level *l)
{
    bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    bool has_v4 = has_v3 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");

    l[0] = (struct level){ "v1", fast_rows_v1, true };
    l[1] = (struct level){ "v3", fast_rows_v3, has_v3 };
    l[2] = (struct level){ "v4", fast_rows_v4, has_v4 };
    l[3] = (struct level){ "v4b", fast_rows_v4b, has_v4 && __builtin_cpu_supports("avx512bf16") };
    return 4;
}
#else
static int list_levels(struct level *l)
{
    l[0] = (struct level){ "v1", fast_rows_v1, true };
    return 1;
}
#endif

/* UNIMO_CPU names the highest level that is used, for tests of the others. */
bool cpu_fast_rows(struct ops *t)
{
    enum { MOST = 4 };
    struct level l[MOST];
    const char *highest = getenv("UNIMO_CPU");
    bool has_highest = highest && *highest, is_found = false;
    int n = list_levels(l), best = 0;

    for (int i = 0; i < n && !is_found; i++) {
        if (l[i].is_here) best = i;
        is_found = has_highest && !strcmp(highest, l[i].name);
    }
    t->name = "cpu";
    t->close = fast_close;
    l[best].rows(t);
    return is_found || !has_highest;
}
