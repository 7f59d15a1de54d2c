#ifndef SCORE_SPICE_H
#define SCORE_SPICE_H
#include "score/data.h"

/* SPICE (Anderson et al. 2016) from tuples: the graphs of an image's references are merged into one by names and
 * WordNet's synsets, and tuples match where all their concepts do. Its parser of captions is not part of it. */
int spice_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
