/* Masked language modelling: the units that tokenisation marked (words, phrases) are masked whole, several in a row,
 * with a span length from a geometric distribution that is cut at max_span and normalised. A length of 0 counts as 1.
 */
#include "model/mlm.h"
#include <math.h>

const struct mlm_opts mlm_defaults = { .ratio = 0.15, .p = 0.2, .max_span = 10 };

int mlm_span(struct rng *r, const struct mlm_opts *o)
{
    double left = rng_uniform(r) * (1 - pow(1 - o->p, o->max_span + 1)), p = o->p;
    int l = 0;

    while (l < o->max_span && left >= p) {
        left -= p;
        p *= 1 - o->p;
        l++;
    }
    return l < 1 ? 1 : l;
}

static bool starts_unit(const int32_t *units, int64_t i)
{
    return !units || units[i] != 1;
}

/* A special token within a text is part of no unit. */
static bool is_special(const int32_t *units, int64_t i)
{
    return units && units[i] < 0;
}

/* Chooses the unit at the anchor and those right of it; returns how many tokens were new, at most budget. */
static int64_t choose_span(struct rng *r, const struct mlm_opts *o, int64_t n, const int32_t *units, int32_t *chosen,
                           int64_t anchor, int64_t budget)
{
    int64_t i = anchor, got = 0;
    int left = mlm_span(r, o);

    while (i > 0 && !starts_unit(units, i)) i--;
    for (int64_t first = i; i < n && got < budget; i++) {
        if (is_special(units, i)) continue;
        if (i > first && starts_unit(units, i) && --left == 0) break;
        if (chosen[i]) continue;
        chosen[i] = 1;
        got++;
    }
    return got;
}

static int32_t replace(struct rng *r, const struct model_config *c, int32_t token)
{
    double u = rng_uniform(r);

    if (u < 0.8) return (int32_t)c->mask_id;
    return u < 0.9 ? (int32_t)(4 + rng_below(r, c->vocab - 4)) : token;
}

int64_t mlm_mask(struct rng *r, const struct model_config *c, const struct mlm_opts *o, int64_t n, int32_t *tokens,
                 const int32_t *units, int32_t *labels)
{
    int64_t budget = (int64_t)ceil(o->ratio * (double)(n + 2)), got = 0;

    for (int64_t i = 0; i < n; i++) labels[i] = 0; /* chosen or not, until the end */
    if (budget > n) budget = n;
    for (int64_t tries = 100 * budget; got < budget && tries > 0; tries--) {
        int64_t anchor = rng_below(r, n);
        if (!labels[anchor] && !is_special(units, anchor))
            got += choose_span(r, o, n, units, labels, anchor, budget - got);
    }
    for (int64_t i = 0; i < n; i++) {
        if (!labels[i]) {
            labels[i] = -1;
            continue;
        }
        labels[i] = tokens[i];
        tokens[i] = replace(r, c, tokens[i]);
    }
    return got;
}
