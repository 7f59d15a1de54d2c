#ifndef SCORE_CIDER_H
#define SCORE_CIDER_H
#include "score/report.h"

/* CIDEr-D, 0 to 10, as coco-caption computes it: document frequencies are those of the references given, so that a
 * single item scores 0. each (or NULL): [n]. */
double cider_d(const struct score_item *items, int64_t n, double *each);
double cider_d_of(const struct captions *c, double *each);
void cider_report(const struct score_data *d, struct report *r);
#endif
