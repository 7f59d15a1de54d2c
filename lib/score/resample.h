#ifndef SCORE_RESAMPLE_H
#define SCORE_RESAMPLE_H
#include "score/tally.h"

/* Confidence intervals and paired tests as sacreBLEU computes them (shared by all metrics), with the same draws from
 * the same seed: NumPy's default_rng. */
struct trials {
    int64_t n;
    uint64_t seed;
    bool is_legacy; /* drawn and cut as rouge_score does it, see resample_legacy() */
};
struct interval {
    double mean, low, high; /* of the resamples; low and high: the 2.5 % and 97.5 % of them */
};
/* Bootstrap: each resample takes n items with replacement. out [n_figures]. */
void resample_interval(const struct tally *t, struct trials trials, struct interval *out);

/* The same as rouge_score's BootstrapAggregator after numpy.random.seed(seed): NumPy's older generator (MT19937), fresh
 * draws for each t->group figures in turn, percentiles by linear interpolation; the mean is the median there. */
void resample_legacy(const struct tally *t, struct trials trials, struct interval *out);

/* How likely a difference as large as that of two systems (over the same items) is by chance: p [n_figures]. Paired
 * bootstrap, */
void resample_paired(const struct tally *a, const struct tally *b, struct trials trials, double *p);
/* or paired approximate randomisation, which needs statistics that add up. */
void resample_swapped(const struct tally *a, const struct tally *b, struct trials trials, double *p);
#endif
