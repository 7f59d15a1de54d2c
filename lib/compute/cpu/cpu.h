#ifndef COMPUTE_CPU_CPU_H
#define COMPUTE_CPU_CPU_H
#include "compute/ops.h"

/* The reference: every row in plain C with double sums, written to be believed. */
#define ROW(name, args) int cpu_##name args;
#include "compute/ops.def"
#undef ROW
extern const struct ops cpu_reference;

/* Puts the fast rows over the reference's. fast_open() makes the state they need in d->impl; the table's close frees
 * it. false: UNIMO_CPU names no level there is. */
bool cpu_fast_rows(struct ops *table);
int fast_open(struct device *d);
void fast_close(struct device *d);

/* The factor that AdamW puts on gradients: grad_scale, and clipping to max_norm. */
float adamw_gradient_factor(struct tensor square_sum, struct adamw a);
#endif
