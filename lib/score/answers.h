#ifndef SCORE_ANSWERS_H
#define SCORE_ANSWERS_H
#include "score/data.h"

/* Exact match and word overlap of short answers, normalised as the official scripts do it. SQuAD 1.1: the best of the
 * references. */
int squad_count(const struct score_data *d, struct tally *out, struct err *e);
/* SQuAD 2.0: an item without references has no answer; also apart for items with and without one. */
int squad2_count(const struct score_data *d, struct tally *out, struct err *e);
/* CoQA: the mean, over the references, of the best of the others. By domain where the references have "source". */
int coqa_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
