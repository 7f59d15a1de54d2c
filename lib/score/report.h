#ifndef SCORE_REPORT_H
#define SCORE_REPORT_H
#include "score/captions.h"
#include "score/join.h"
#include "score/matrix.h"
#include "stream/value.h"

/* What a metric gets: those of its inputs that its row in metrics.c names. */
struct score_data {
    struct join labels;       /* predictions with one or more labels */
    struct join texts;        /* predictions with reference texts, */
    struct captions captions; /* and the same as words */
    struct matrix matrix;     /* scores of texts and images */
};

/* What it gives: figures for the whole, and for each item where that was asked for. */
struct report {
    struct value *metrics; /* array of {"metric", "n", "signature", figures...} */
    struct value *each;    /* array of {"id", figure}; NULL: not asked for */
};
/* Begins a metric over n items. The signature says everything that can change a digit. */
void report_begin(struct report *r, const char *metric, int64_t n, const char *signature);
/* Adds to the metric that was begun last. */
void report_figure(struct report *r, const char *name, double x);
void report_count(struct report *r, const char *name, int64_t x);
void report_each(struct report *r, const char *id, const char *name, double x);
#endif
