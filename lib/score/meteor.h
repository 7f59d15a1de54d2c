#ifndef SCORE_METEOR_H
#define SCORE_METEOR_H
#include "score/data.h"

/* METEOR 1.5 for English with the parameters of the ranking task, as coco-caption runs it (-l en -norm): of several
 * references the best; the whole is computed from summed statistics. */
int meteor_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
