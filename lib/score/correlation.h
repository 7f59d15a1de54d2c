#ifndef SCORE_CORRELATION_H
#define SCORE_CORRELATION_H
#include "score/data.h"

/* Of numbers, as SciPy computes it; NaN when one side is constant. */
int pearson_count(const struct score_data *d, struct tally *out, struct err *e);
/* Of average ranks; and the mean of both correlations, which STS-B reports. */
int spearman_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
