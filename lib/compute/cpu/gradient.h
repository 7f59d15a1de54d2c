#ifndef COMPUTE_CPU_GRADIENT_H
#define COMPUTE_CPU_GRADIENT_H
#include "compute/cpu/fast.h"

/* linear_backward_weight() without the library (gradient_fast.c), where gradient_fits() says so. */
bool FAST_ROW(gradient_fits)(struct tensor dw, struct tensor dy);
int FAST_ROW(gradient_add)(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x);
#endif
