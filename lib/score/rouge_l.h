#ifndef SCORE_ROUGE_L_H
#define SCORE_ROUGE_L_H
#include "score/data.h"

/* ROUGE-L of captions as coco-caption computes it: the best precision and the best recall over the references, each on
 * its own, with beta 1.2; the mean over the items. */
int rouge_l_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
