#ifndef FEATURES_STATS_H
#define FEATURES_STATS_H
#include "stream/record.h"

/* What records of region features hold: how many, which values. Zeroed is empty. */
struct tensor_stats {
    char name[32];
    enum dtype dtype;
    bool is_mixed; /* of several types */
    int64_t width[2], n, zeros, nans, infinite;
    double sum, range[2]; /* of the finite values */
};
struct feature_stats {
    int64_t pictures, bad, regions, per_picture[2], size[2][2];
    int64_t outside, inverted; /* boxes */
    int n;
    struct tensor_stats at[16];
};
void stats_add(struct feature_stats *s, const struct record *r);
void stats_merge(struct feature_stats *s, const struct feature_stats *more);
void stats_print(const struct feature_stats *s, struct str *out);
#endif
