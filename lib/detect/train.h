#ifndef DETECT_TRAIN_H
#define DETECT_TRAIN_H
#include "core/rng.h"
#include "detect/annotations.h"
#include "detect/detector.h"
#include "detect/select.h"

/* Training a detector from annotated pictures: both stages and the attribute head at once, AdamW, warm-up and cosine
 * decay. */
struct detect_train_opts {
    int64_t steps, batch, warmup;
    double lr, weight_decay;
    uint64_t seed;
    int64_t eval_every; /* steps between AP50 on dev; 0: only at the end */
    const char *log;    /* JSON Lines, or NULL */
};
struct detect_losses {
    double objectness, rpn_box, cls, box, attribute;
};
/* Forward and backward of n pictures of one size; adds to gradients. objects are in the pictures' pixels. */
int detect_step(struct detector *d, const struct image *pictures, const struct picture *truth, int n, struct rng *r,
                struct detect_losses *losses, struct err *e);
/* AP at IoU 0.5 (detection_ap) of the refined boxes after per-class suppression. */
int detect_evaluate(struct detector *d, const struct annotations *dev, double *ap50, struct err *e);
/* The whole training; dev may be NULL. The last AP50 is in *ap50 (or -1). */
int detect_train(struct detector *d, const struct annotations *train, const struct annotations *dev,
                 const struct detect_train_opts *o, double *ap50, struct err *e);
#endif
