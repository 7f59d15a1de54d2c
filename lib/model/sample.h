#ifndef MODEL_SAMPLE_H
#define MODEL_SAMPLE_H
#include "core/rng.h"

/* One token drawn from log probabilities [n]: from the `top_k` most likely ones (0: all), of those from the fewest that
 * hold `top_p` of the probability (1: all; Holtzman et al. 2020), after division by the temperature. Ties go to the
 * lower token. */
struct sample_opts {
    int top_k;
    double top_p, temperature;
};
int32_t sample_token(struct rng *r, const struct sample_opts *o, const float *log_prob, int64_t n);
#endif
