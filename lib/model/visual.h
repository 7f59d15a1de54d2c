#ifndef MODEL_VISUAL_H
#define MODEL_VISUAL_H
#include "core/rng.h"

/* Masking of regions: each is an anchor with probability ratio (one at least), and so is masked every region whose
 * overlap (intersection over union) with a masked anchor exceeds threshold, so that nothing leaks. */
struct visual_opts {
    double ratio;     /* 0.15 */
    double threshold; /* 0.3 */
};
extern const struct visual_opts visual_defaults;

/* Sets masked[n]; returns how many. n >= 1. */
int64_t visual_mask(struct rng *r, const struct visual_opts *o, int64_t n, const float *boxes, uint8_t *masked);
double visual_overlap(const float a[4], const float b[4]);
#endif
