#ifndef DETECT_SELECT_H
#define DETECT_SELECT_H
#include "detect/detector.h"

/* Which regions of a picture are kept (the rule of the bottom-up-attention release): for each class, non-maximum
 * suppression of the boxes by that class's score; a box's confidence is the largest score it survived with; those of at
 * least `threshold` are kept, but no fewer than min and no more than max. By falling confidence, ties by index. */
struct select_opts {
    int min, max;
    float threshold, nms;
    bool refined; /* the second stage's boxes instead of the proposals */
};
struct selection {
    int64_t n;
    int64_t *at;       /* [n] rows of the detections */
    float *confidence; /* [n] */
    int *class_of;     /* [n] the most likely class but the background */
    int *attribute_of; /* [n] the most likely attribute but none; 0 when there are no attributes */
};
void select_regions(struct selection *s, const struct detections *x, const struct detect_config *c,
                    const struct select_opts *o);
void selection_release(struct selection *s);
#endif
