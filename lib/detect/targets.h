#ifndef DETECT_TARGETS_H
#define DETECT_TARGETS_H
#include "core/rng.h"
#include "detect/annotations.h"

/* What the two stages should say (Faster R-CNN, sections 3.1.2 and 3.1.3), for one picture in input pixels. */

/* Anchors: label[n] 1 object, 0 background, -1 not sampled; delta[n][4] for objects. At most `sample` anchors, up to
 * half of them objects: IoU >= 0.7, or the best for some box; background: IoU < 0.3. Anchors that cross the border are
 * left out unless nothing else covers a box. Returns how many are sampled. */
int rpn_targets(int8_t *label, float *delta, const struct box *anchors, int64_t n, const struct annotation *objects,
                int n_objects, float width, float height, int sample, float extra, struct rng *r);

/* Regions for the second stage from proposals and the true boxes: at most `sample` of them, up to half objects (IoU >=
 * 0.5), the rest background. */
struct region_target {
    struct box box;
    int class_of;   /* 0: background */
    int object;     /* the annotation it is, or -1 */
    float delta[4]; /* scaled as the second stage is trained */
};
int region_targets(struct region_target *out, const struct box *proposals, int64_t n, const struct annotation *objects,
                   int n_objects, int sample, float extra, struct rng *r);
#endif
