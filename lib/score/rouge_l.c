#include "score/rouge_l.h"
#include "score/explain.h"
#include <stdlib.h>
#include <string.h>

/* row: room for b + 1 lengths. */
static int64_t common(const int32_t *a, int64_t n_a, const int32_t *b, int64_t n_b, int32_t *row)
{
    memset(row, 0, (size_t)(n_b + 1) * sizeof *row);
    for (int64_t i = 0; i < n_a; i++) {
        int32_t diagonal = 0;
        for (int64_t k = 0; k < n_b; k++) {
            int32_t above = row[k + 1];
            row[k + 1] = a[i] == b[k] ? diagonal + 1 : above > row[k] ? above : row[k];
            diagonal = above;
        }
    }
    return row[n_b];
}

struct lcs {
    int32_t *row;
    int64_t cap;
};

/* An empty text is one empty token: it equals only another one. */
static double score_item(struct lcs *l, const struct sentence *pred, const struct sentence *refs, int64_t n)
{
    double p = 0, r = 0;

    for (int64_t k = 0; k < n; k++) {
        const struct sentence *ref = &refs[k];
        bool is_empty = !pred->n_tokens || !ref->n_tokens;
        mem_reserve(&l->row, &l->cap, ref->n_tokens + 1);
        double n_pred = is_empty ? 1 : (double)pred->n_tokens, n_ref = is_empty ? 1 : (double)ref->n_tokens;
        double same = is_empty ? pred->n_tokens == ref->n_tokens
                               : (double)common(pred->tokens, pred->n_tokens, ref->tokens, ref->n_tokens, l->row);
        if (same / n_pred > p) p = same / n_pred;
        if (same / n_ref > r) r = same / n_ref;
    }
    return p > 0 && r > 0 ? (1 + 1.2 * 1.2) * p * r / (r + 1.2 * 1.2 * p) : 0;
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    captions_explain(&((const struct score_data *)t->data)->captions, i, out);
}

int rouge_l_count(const struct score_data *d, struct tally *out, struct err *e)
{
    const struct captions *c = &d->captions;
    struct lcs l = { 0 };

    tally_begin(out, "rouge-l", c->n, d->texts.id, 1);
    tally_figure(out, "score", 100, 1, 3);
    captions_signature(d, &out->signature);
    str_add(&out->signature, "|rouge-l|beta:1.2");
    out->finish = tally_means;
    out->explain = explain;
    out->data = d;
    for (int64_t i = 0; i < c->n; i++) {
        int64_t n;
        const struct sentence *refs = captions_refs(c, i, &n);
        if (!d->texts.items[i].is_missing) out->stats[i] = score_item(&l, &c->preds[i], refs, n);
    }
    free(l.row);
    return 1;
}
