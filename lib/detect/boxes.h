#ifndef DETECT_BOXES_H
#define DETECT_BOXES_H
#include "detect/config.h"
#include <stdint.h>

/* Boxes are x1, y1, x2, y2 in pixels. `extra` is 1 where widths are x2 - x1 + 1 (the Caffe models), else 0. */
struct box {
    float x1, y1, x2, y2;
};
float box_iou(struct box a, struct box b, float extra);
struct box box_clip(struct box b, float width, float height, float extra);
/* Deltas dx, dy relative to centre and size, dw, dh logarithmic (Faster R-CNN, section 3.1.2), and their inverse. */
void box_encode(float delta[4], struct box anchor, struct box target, float extra);
struct box box_decode(const float delta[4], struct box anchor, float extra);

/* Greedy non-maximum suppression: order holds n indices by falling score; keeps at most `most` of them, in order, in
 * keep[]. */
int64_t nms(int64_t *keep, const struct box *boxes, const int64_t *order, int64_t n, float threshold, int64_t most,
            float extra);
/* Indices 0..n-1 by falling score, ties by index; most > 0: only so many. Returns their number. */
int64_t order_by_score(int64_t *order, const float *scores, int64_t n, int64_t most);

/* The anchors of a rows x columns feature map: (row, column, anchor) in this order. Count: rows * columns *
 * detect_anchors(c). */
int detect_anchors(const struct detect_config *c); /* per cell */
void anchors_make(struct box *out, const struct detect_config *c, int rows, int columns);
#endif
