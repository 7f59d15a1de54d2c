#include "model/visual.h"

const struct visual_opts visual_defaults = { .ratio = 0.15, .threshold = 0.3 };

static double area(const float box[4])
{
    double w = (double)box[2] - box[0], h = (double)box[3] - box[1];

    return w > 0 && h > 0 ? w * h : 0;
}

double visual_overlap(const float a[4], const float b[4])
{
    const float both[4] = { a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1], a[2] < b[2] ? a[2] : b[2],
                            a[3] < b[3] ? a[3] : b[3] };
    double shared = area(both), all = area(a) + area(b) - shared;

    return all > 0 ? shared / all : 0;
}

enum {
    ANCHOR = 2
}; /* while the masks are made: so that a region masked for an anchor's sake does not spread further */

int64_t visual_mask(struct rng *r, const struct visual_opts *o, int64_t n, const float *boxes, uint8_t *masked)
{
    int64_t n_anchors = 0, n_masked = 0;

    for (int64_t i = 0; i < n; i++) {
        masked[i] = rng_uniform(r) < o->ratio ? ANCHOR : 0;
        n_anchors += masked[i] == ANCHOR;
    }
    if (!n_anchors) masked[rng_below(r, n)] = ANCHOR;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < n && !masked[i]; k++) {
            if (masked[k] == ANCHOR && visual_overlap(boxes + 4 * i, boxes + 4 * k) > o->threshold) masked[i] = 1;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        masked[i] = masked[i] != 0;
        n_masked += masked[i];
    }
    return n_masked;
}
