#ifndef SCORE_ROUGE_GOOGLE_H
#define SCORE_ROUGE_GOOGLE_H
#include "score/data.h"

/* ROUGE-1, -2, -L and -Lsum as google-research's rouge_score computes them; of several references the one with the best
 * F. A text's lines are the sentences of Lsum. Plain means. */
int rouge_google_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
