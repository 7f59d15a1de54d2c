#ifndef TRAIN_SAMPLER_H
#define TRAIN_SAMPLER_H
#include "model/task.h"

/* Which example comes next: a function of the seed and of how many were drawn of each collection, nothing else.
 * Collections are mixed exactly by their shares; each is walked in a random order of its own for each epoch. The order
 * is dealt out to several streams, one for each micro-batch of each rank: stream k of n gets every n-th example. */
struct sampler {
    const struct task *task;
    uint64_t seed;
    int64_t stream, streams;             /* streams 0 is 1 */
    int64_t drawn[TASK_COLLECTIONS_MAX]; /* the whole state */
};
struct sample {
    int collection;
    int64_t example; /* index in the collection */
    int64_t draw;    /* its place in the collection's order, counted through all epochs */
};
struct sample sampler_next(struct sampler *s);
/* Puts an example that was drawn into the batch; a holds what is needed until the call ends. */
int sampler_add(const struct sampler *s, const struct sample *x, struct batch *b, struct arena *a, struct err *e);
#endif
