#include "model/model.h"

/* Pairs of rows in which one sees the other: row i of a sequence sees max(prefix, i + 1) rows. */
static double visible_pairs(const struct batch *b)
{
    double pairs = 0;

    for (int64_t s = 0; s < b->n_sequences; s++) {
        double n = b->start[s + 1] - b->start[s], prefix = b->prefix[s], rest = n - prefix;
        pairs += prefix * prefix + rest * prefix + rest * (rest + 1) / 2;
    }
    return pairs;
}

double model_flops(const struct model_config *c, const struct batch *b, const float weight[LOSS_COUNT])
{
    double H = c->hidden, F = c->features, T = (double)b->n_rows;
    double layer = T * (8 * H * H + 4 * H * c->inner) + 4 * H * visible_pairs(b), heads = 0;
    int64_t n[LOSS_COUNT];

    model_targets(b, weight, n);
    heads += (double)(n[LOSS_MLM] + n[LOSS_SEQ2SEQ]) * (2 * H * c->vocab + 2 * H * H);
    heads += (double)n[LOSS_MRC] * 2 * H * c->classes + (double)n[LOSS_MRFR] * 2 * H * F;
    heads += (double)(b->n_cls + b->n_img) * 2 * H * H;
    return 3 * (c->layers * layer + (double)b->n_regions * 2 * F * H + heads);
}
