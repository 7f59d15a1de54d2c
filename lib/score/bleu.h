#ifndef SCORE_BLEU_H
#define SCORE_BLEU_H
#include "score/item.h"
#include "score/ngrams.h"

/* Corpus BLEU-1..4 as coco-caption computes it: clipped counts, the closest reference length, no smoothing but its tiny constants.
 * Fractions, 0 to 1. each (or NULL) gets BLEU-1..4 of every item: [n][4]. */
void bleu(const struct score_item *items, int64_t n, double out[NGRAM_MAX], double *each);
#endif
