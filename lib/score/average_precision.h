#ifndef SCORE_AVERAGE_PRECISION_H
#define SCORE_AVERAGE_PRECISION_H
#include "score/data.h"

/* The twelve figures of COCO's evaluation of boxes (pycocotools). A figure without anything to find is -1. */
int coco_count(const struct score_data *d, struct tally *out, struct err *e);
/* Mean average precision of PASCAL VOC at IoU 0.5: of eleven points, as in 2007, and of all. Boxes include their
 * corners' pixels. Ties of confidence keep the order of the file. */
int voc_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
