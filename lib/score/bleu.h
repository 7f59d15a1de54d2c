#ifndef SCORE_BLEU_H
#define SCORE_BLEU_H
#include "score/data.h"

/* What BLEU of any kind is computed from, summed over the items: lengths, and by order the runs of words in the
 * predictions and those among them that a reference has, each at most as often as the reference that has it most. */
enum {
    BLEU_LENGTH,
    BLEU_REF_LENGTH, /* of the closest reference; of two as close, the shorter */
    BLEU_GUESS,
    BLEU_CORRECT = BLEU_GUESS + NGRAM_MAX,
    BLEU_WIDTH = BLEU_CORRECT + NGRAM_MAX
};
void bleu_statistics(const struct captions *c, double *rows, int threads); /* [n][BLEU_WIDTH] */

/* Corpus BLEU-1..4 as coco-caption computes it: clipped counts, the closest reference length, no smoothing but its tiny
 * constants. Fractions, 0 to 1. */
void bleu(const struct captions *c, double out[NGRAM_MAX]);
int bleu_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
