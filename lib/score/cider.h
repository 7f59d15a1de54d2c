#ifndef SCORE_CIDER_H
#define SCORE_CIDER_H
#include "score/data.h"

/* CIDEr-D of Vedantam et al. 2015 as coco-caption computes it (there called CIDEr): 0 to 10; the document frequencies
 * are those of the references given. each (or NULL) gets every item's score: [n]. Returns the mean; 0 for no items. */
double cider_d(const struct score_item *items, int64_t n, double *each);
int cider_count(const struct score_data *d, struct tally *out, struct err *e);
/* The same authors' CIDEr: without clipping and without the Gaussian of the lengths. */
int cider_original_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
