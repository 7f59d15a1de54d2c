#ifndef SCORE_CIDER_H
#define SCORE_CIDER_H
#include "score/item.h"

/* CIDEr-D, 0 to 10, as coco-caption computes it: document frequencies are those of the references given. each (or NULL): [n]. */
double cider_d(const struct score_item *items, int64_t n, double *each);
#endif
