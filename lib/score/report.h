#ifndef SCORE_REPORT_H
#define SCORE_REPORT_H
#include "core/hash.h"
#include "score/resample.h"

/* Tallies as JSON objects: {"metric", "n", figures..., "printed", "scale", "signature", ...}; see unimo-score(1). */
struct report_opts {
    bool ref_scale;           /* the reference program's own instead of percent */
    struct trials ci;         /* n 0: none */
    struct trials test;       /* of a comparison */
    bool swaps;               /* by randomisation instead of bootstrap */
    const char *const *names; /* [n_by] breakdowns: by a note's words */
    const struct map *words[8];
    const int32_t *of[8]; /* [items] */
    int n_by;
};
/* b: the other system, or NULL. */
struct value *report_tally(const struct tally *a, const struct tally *b, const struct report_opts *o);
/* {"id", "metric", figures...} of one item; figures without a value are left out. */
struct value *report_item(const struct tally *t, int64_t i, bool ref_scale);
/* The same with what led to them. */
struct value *report_explain(const struct tally *t, int64_t i, bool ref_scale);
#endif
