#ifndef SCORE_METRICS_H
#define SCORE_METRICS_H
#include "score/data.h"
#include "score/resample.h"

/* The metrics of unimo-score: a row in metrics.c and a file each. */
struct score_request {
    const char *metrics; /* a comma-separated list; figures are reported in its order */
    struct score_opts opts;
    const char *compare;    /* another system's predictions, or NULL */
    struct trials ci, test; /* ci.n 0: none */
    bool swaps, times;      /* times: seconds that each metric took */
    const char *explain;    /* an id: what led to its figures, instead of the figures of all; or NULL */
    bool each;              /* also each item's */
};
struct score_result {
    struct value *metrics; /* array of objects of report.h, owned */
    struct value *each;    /* array, or NULL */
};
bool metrics_known(const char *name);
/* The names, joined by commas and blanks. */
void metrics_names(struct str *out);
/* Each input is read once. The result is released with metrics_release(), also after an error. */
int metrics_compute(const struct score_request *q, struct score_result *out, struct err *e);
void metrics_release(struct score_result *r);
#endif
