#ifndef MODEL_CMCL_H
#define MODEL_CMCL_H
#include "core/rng.h"
#include <stdbool.h>
#include <stdint.h>

/* How many examples of each kind enter one contrastive group. */
struct cmcl_opts {
    int positives, negatives, texts, images;
    bool each; /* each positive is contrasted on its own (struct batch_cmcl) */
};

/* want (or all, when there are fewer) different numbers of 0 .. have - 1 in random order into picked; returns how many.
 */
int64_t cmcl_draw(struct rng *r, int64_t have, int64_t want, int64_t *picked);
#endif
