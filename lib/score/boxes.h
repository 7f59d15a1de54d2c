#ifndef SCORE_BOXES_H
#define SCORE_BOXES_H
#include "core/err.h"
#include "core/hash.h"
#include <stdbool.h>

/* Detections and true boxes, joined by image and category. Files are streams or JSON Lines of {"image", "category",
 * "score"} with "bbox" or "bbox_xywh" (left, top, width, height, as in COCO) or "bbox_x1y1x2y2" (corners that belong to
 * the box, as in VOC), true boxes with "area", "iscrowd" and "difficult" where they have them; or COCO's annotations
 * and results (.json). */
struct box {
    int32_t image, category;
    double x, y, w, h, score, area;
    bool is_crowd, is_difficult;
};
struct boxes {
    int64_t n_found, n_true;
    struct box *found, *truth;     /* in the order of the files */
    struct map images, categories; /* by order of appearance */
    const char **ids;              /* of images */
    int32_t *order;                /* [images.n] images by id: by number where both are numbers */
};
int boxes_read(struct boxes *b, const char *found, const char *truth, struct err *e);
void boxes_release(struct boxes *b);
#endif
