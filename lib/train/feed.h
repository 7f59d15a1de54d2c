#ifndef TRAIN_FEED_H
#define TRAIN_FEED_H
#include "train/sampler.h"

/* Batches made ahead of the trainer, so that reading and masking cost the step nothing: examples are drawn in order,
 * each is read and masked by one of several threads, and they are joined in order. What comes out is a function of the
 * sampler's state, not of the threads. */
struct feed;
struct feed_item {
    struct batch batch;           /* has at least the wanted rows, unless rc */
    struct sampler before, after; /* the sampler's state around this batch */
    int rc;                       /* -1: no batch but the error */
    struct err e;
};
/* threads: that read; at least 1. NULL when the one that joins what they read cannot be started. */
struct feed *feed_open(const struct sampler *from, const struct model_config *c, int64_t rows, int threads,
                       struct err *e);
/* The next batch, valid until the following call. *waited gets the seconds that the caller had to wait. */
const struct feed_item *feed_next(struct feed *f, double *waited);
void feed_close(struct feed *f); /* NULL is fine */
#endif
