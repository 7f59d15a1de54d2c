#ifndef SCORE_METRICS_H
#define SCORE_METRICS_H
#include "score/report.h"

/* The metrics of unimo-score: a row in metrics.c and a file each. */
struct score_files {
    const char *pred, *ref, *images; /* ref, images: NULL when not given; "-" is standard input, for one of them */
    const char *field;               /* of the references' labels */
};
bool metrics_known(const char *name);
/* Computes the metrics of a comma-separated list and reports them in that order. Each input is read once. */
int metrics_compute(const char *list, const struct score_files *files, struct report *out, struct err *e);
#endif
