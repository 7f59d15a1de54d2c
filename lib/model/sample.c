#include "model/sample.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

struct choice {
    double p;
    int32_t token;
};

static int likelier_first(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;

    if (x->p != y->p) return x->p > y->p ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

int32_t sample_token(struct rng *r, const struct sample_opts *o, const float *log_prob, int64_t n)
{
    struct choice *c = mem_new(struct choice, n);
    double most = -INFINITY, sum = 0, mass = 0;
    int64_t many = 0, kept = 0;

    for (int64_t i = 0; i < n; i++) most = fmax(most, (double)log_prob[i]);
    for (int64_t i = 0; i < n; i++) sum += exp(((double)log_prob[i] - most) / o->temperature);
    /* The others together hold less than 1 - top_p of the whole: none of them is needed to reach top_p. */
    double least = o->top_k || o->top_p >= 1 ? 0 : (1 - o->top_p) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double p = exp(((double)log_prob[i] - most) / o->temperature) / sum;
        if (p > 0 && p >= least) c[many++] = (struct choice){ p, (int32_t)i };
    }
    qsort(c, (size_t)many, sizeof *c, likelier_first);
    if (o->top_k && o->top_k < many) many = o->top_k;
    for (sum = 0; kept < many; kept++) sum += c[kept].p;
    if (!o->top_k) sum = 1;
    for (kept = 0; kept < many && (kept == 0 || mass < o->top_p * sum); kept++) mass += c[kept].p;
    double u = rng_uniform(r) * mass;
    int64_t at = 0;
    while (at + 1 < kept && u >= c[at].p) u -= c[at++].p;
    int32_t token = c[at].token;
    free(c);
    return token;
}
