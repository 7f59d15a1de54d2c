#ifndef SCORE_BLEU_H
#define SCORE_BLEU_H
#include "score/report.h"

/* Corpus BLEU-1..4 as coco-caption computes it: clipped counts, the closest reference length, no smoothing but its tiny
 * constants. Fractions, 0 to 1. each (or NULL) gets BLEU-1..4 of every item: [n][4]. */
void bleu(const struct captions *c, double out[NGRAM_MAX], double *each);
void bleu_report(const struct score_data *d, struct report *r);
#endif
