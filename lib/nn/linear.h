#ifndef NN_LINEAR_H
#define NN_LINEAR_H
#include "nn/params.h"

/* A linear layer y = x w^T + b, and a layer norm: indices of their parameters. w = -1: the layer is absent. */
struct linear {
    int w, b;
};
struct norm {
    int g, b;
};
#define LINEAR_ABSENT ((struct linear){ -1, -1 })

/* Adds NAME.weight [outputs, inputs], drawn from a truncated normal distribution, and NAME.bias, zero. */
struct linear linear_add(struct params *p, const char *name, int64_t outputs, int64_t inputs, float std);
/* Adds NAME.weight, one, and NAME.bias, zero. */
struct norm norm_add(struct params *p, const char *name, int64_t n);

/* flags: LINEAR_ADD (LINEAR_PARAM is implied). */
void linear_forward(const struct params *p, struct linear l, struct tensor y, struct tensor x, int flags);
/* Adds the parameters' gradients; dx (or none) is overwritten or, with LINEAR_ADD, added to. x is the input of forward.
 */
void linear_backward(const struct params *p, struct linear l, struct tensor dx, struct tensor dy, struct tensor x,
                     int flags);
void norm_forward(const struct params *p, struct norm l, struct tensor y, struct tensor stats, struct tensor x,
                  float eps);
/* Adds the parameters' gradients; dx may be dy. */
void norm_backward(const struct params *p, struct norm l, struct tensor dx, struct tensor dy, struct tensor x,
                   struct tensor stats);
#endif
