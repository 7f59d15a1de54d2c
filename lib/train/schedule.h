#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H
#include <stdint.h>

/* The learning rate as a share of the largest one. */
enum schedule_shape { SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_CONSTANT, SCHEDULE_STEPS };
struct schedule {
    enum schedule_shape shape; /* of the decay after the warm-up; linear is the paper's */
    int64_t warmup, total;     /* steps */
};
/* At step 0 .. total - 1. Warm-up rises linearly and reaches 1 in its last step; the linear decay is measured from step
 * 0, so that the curve steps down a little after the warm-up, as in the released fine-tuning code. */
double schedule_at(const struct schedule *s, int64_t step);
/* "linear", "cosine", "constant", "steps" (a tenth after 60 % of the steps, a hundredth after 80 %). */
enum schedule_shape schedule_named(const char *name);
#endif
