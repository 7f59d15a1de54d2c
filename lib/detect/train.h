#ifndef DETECT_TRAIN_H
#define DETECT_TRAIN_H
#include "core/rng.h"
#include "detect/annotations.h"
#include "detect/detector.h"

/* Training a detector from annotated pictures: both stages and the attribute head at once, AdamW, warm-up and cosine
 * decay. */
struct detect_train_opts {
    int64_t steps, batch, warmup;
    double lr, weight_decay;
    uint64_t seed;
    /* Pictures are mirrored half of the time; brightness, contrast and saturation vary by up to these parts, and the
     * input's size, in five steps, by up to this one. */
    double brightness, contrast, saturation, zoom;
    int64_t eval_every; /* steps between AP on dev; 0: only at the end */
    int64_t save_every; /* steps between checkpoints; 0: only when a signal asks */
    const char *state;  /* the checkpoint's directory */
    bool resume;        /* go on from there, if it is there */
    const char *log;    /* JSON Lines, or NULL */
};
struct detect_precision {
    double ap50, ap; /* at an IoU of 0.5, and the mean over 0.5, 0.55, ... 0.95; -1: not measured */
};
struct detect_losses {
    double objectness, rpn_box, cls, box, attribute;
};
/* Forward and backward of n pictures of one size, which are `share` of the step's: losses and gradients are multiplied
 * by it, and gradients added. objects are in the pictures' pixels. */
int detect_step(struct detector *d, const struct image *pictures, const struct picture *truth, int n, float share,
                struct rng *r, struct detect_losses *losses, struct err *e);
/* The whole training; dev may be NULL. The last precision is in *p. A signal saves a checkpoint and ends it with
 * ERR_SAVED; resumed, it ends with the bytes of one that was not interrupted. */
int detect_train(struct detector *d, const struct annotations *train, const struct annotations *dev,
                 const struct detect_train_opts *o, struct detect_precision *p, struct err *e);
#endif
