#ifndef SCORE_METRICS_H
#define SCORE_METRICS_H
#include "core/err.h"
#include "stream/value.h"

/* The metrics of unimo-score, one row each. */
struct score_files {
    const char *pred, *ref, *images; /* ref, images: NULL when not given */
    const char *field;               /* of the references' labels */
};
/* Computes the metrics of a comma-separated list; appends to out (an array) an object {"metric", figures..., "n"} for each, and to each (an
 * array, or NULL) an object {"id", figure} for each item of each metric that has one. */
int metrics_compute(const char *list, const struct score_files *files, struct value *out, struct value *each, struct err *e);
#endif
