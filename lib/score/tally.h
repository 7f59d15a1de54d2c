#ifndef SCORE_TALLY_H
#define SCORE_TALLY_H
#include "core/str.h"
#include "stream/value.h"
#include <stdint.h>

/* What a metric found out about its items. Figures, breakdowns, confidence intervals and paired tests are computed from
 * it in one way (resample.h, report.h). Figures are in the reference program's own scale. */
enum { TALLY_FIGURES = 24, TALLY_RESAMPLED = 1 };
struct figure {
    const char *name;
    double percent; /* times this: percent, as papers print it; 1 where the reference program does */
    int decimals;   /* that papers print */
    int ref_decimals;
};
struct tally {
    const char *name; /* of the metric, or of a part of it */
    int64_t n;
    const char *const *ids; /* [n], borrowed */
    const int64_t *items;   /* [n] which of the texts' items; borrowed; NULL: all in their order */
    double *stats;          /* [n][width]: what is summed over the items; NULL where figures are no function of sums */
    int width;
    int n_figures;
    struct figure figures[TALLY_FIGURES];
    double undefined; /* told instead of NaN in any scale; 0: nan is */
    int group;        /* so many figures in a row are of one kind; 0: all */
    /* Figures of n items (or, with fractions, of resampled ones) from the sums of their statistics. NaN: undefined. */
    void (*finish)(const struct tally *t, const double *sum, double n, double *out);
    /* The same where stats is NULL, from how often each item is taken; times NULL: once. */
    void (*weigh)(const struct tally *t, const int32_t *times, double *out);
    /* Then also those of some items, as if they were all, in time that goes by their number. NULL: has no parts. */
    void (*weigh_part)(const struct tally *t, const int64_t *rows, int64_t n, double *out);
    /* Of one item, where that is not finish() of its own statistics. */
    void (*each)(const struct tally *t, int64_t i, double *out);
    /* Adds what led to item i's figures to an object. NULL: nothing to tell. */
    void (*explain)(const struct tally *t, int64_t i, struct value *out);
    /* Where the reference program prints a bootstrap's mean and its own interval. */
    double *own; /* [n_figures][3]: value, low, high; owned; else NULL */
    /* Then also the values of some items, as if they were all. */
    void (*own_of)(const struct tally *t, const int64_t *rows, int64_t n, double *out);
    struct str
        signature;       /* everything that can change a digit; TALLY_RESAMPLED: where resamples are told (else last) */
    struct value *notes; /* what else is worth telling, by name; owned, may be NULL */
    const void *data;    /* what explain() needs, borrowed */
    void *more;          /* what the functions above need, owned */
    void (*release)(void *more); /* NULL: free() */
};
void tally_begin(struct tally *t, const char *name, int64_t n, const char *const *ids, int width);
void tally_figure(struct tally *t, const char *name, double percent, int decimals, int ref_decimals);
void tally_note(struct tally *t, const char *name, struct value *v);
/* Figures of all items. */
void tally_finish(const struct tally *t, double *out);
void tally_each(const struct tally *t, int64_t i, double *out);
void tally_release(struct tally *t);
/* finish() of metrics whose figures are the means of their statistics, one for one, */
void tally_means(const struct tally *t, const double *sum, double n, double *out);
/* and where the reference program prints percent: the order of the operations can decide how a tie is rounded. */
void tally_percents(const struct tally *t, const double *sum, double n, double *out);
#endif
