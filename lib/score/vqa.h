#ifndef SCORE_VQA_H
#define SCORE_VQA_H
#include "score/data.h"

/* Soft accuracy of VQA v2: of each answer of the others, min(1, how many equal the prediction / 3), averaged over the
 * answers, texts normalised as the evaluation code of 2017 or 2021 does it. */
int vqa_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
