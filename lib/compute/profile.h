#ifndef COMPUTE_PROFILE_H
#define COMPUTE_PROFILE_H
#include "compute/ops.h"

/* Where the time goes: seconds and calls of each row of the table of operations. Two readings of the clock a call; on a
 * device that runs operations later, also a wait after each, which slows it down. */
void profile_begin(struct device *d);
/* For ops.c: a row that ran, since `began` on the clock. flops: of a product, else 0. */
enum op_row {
#define ROW(name, args) OP_##name,
#include "compute/ops.def"
#undef ROW
    OP_COUNT
};
void profile_add(struct device *d, enum op_row row, double began, double flops);

/* Prints rows by their share of the time since profile_begin() on standard error; "host" is the time outside of
 * operations, and products also tell their speed. Nothing without profile_begin(); d may be NULL. */
void profile_print(const struct device *d);
/* The same as numbers, and as a table of several processes' [ranks][PROFILE_NUMBERS]: means, and who took longest. */
enum { PROFILE_NUMBERS = 3 * OP_COUNT + 1 };
void profile_numbers(const struct device *d, double *x);
void profile_print_ranks(const double *x, int ranks);
#endif
