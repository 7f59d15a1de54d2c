#include "compute/cpu/fast.h"

void FAST_ROW(rows)(struct ops *t)
{
#define FAST(name) t->name = FAST_ROW(name);
#include "compute/cpu/fast.def"
#undef FAST
    if (!fast_multiplies_bf16()) FAST_ROW(wide_rows)(t);
}
