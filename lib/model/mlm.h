#ifndef MODEL_MLM_H
#define MODEL_MLM_H
#include "core/rng.h"
#include "model/batch.h"

/* Masked language modelling over spans of whole units. */
struct mlm_opts {
    double ratio; /* share of tokens that is predicted: 0.15 (specials count in the length) */
    double p;     /* span length in units ~ Geo(p), cut at max_span: 0.2 */
    int max_span; /* 10 */
};
extern const struct mlm_opts mlm_defaults;

/* The length of a span in units, 1 .. max_span: P(l) is proportional to p (1 - p)^l for l from 0, and 0 counts as 1. */
int mlm_span(struct rng *r, const struct mlm_opts *o);

/* Chooses ceil(ratio * (n + 2)) tokens of a text of n tokens in spans of whole units, replaces 80 % of them by [MASK]
 * and 10 % by a random token in [4, vocab); labels[i] is the original token where chosen, else -1. tokens is changed in
 * place. Tokens of the unit -1 are never chosen. Returns the number chosen; at least 1 when one can be. A function of
 * the rng's state only. */
int64_t mlm_mask(struct rng *r, const struct model_config *c, const struct mlm_opts *o, int64_t n, int32_t *tokens,
                 const int32_t *units, int32_t *labels);
#endif
