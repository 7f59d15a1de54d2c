#include "score/cider.h"
#include "core/mem.h"
#include "score/explain.h"
#include <math.h>
#include <stdlib.h>

struct weights {
    double *rarity; /* of each n-gram: ln of items over items whose references have it */
    double *ref;    /* of the n-grams of one reference: TF-IDF; 0 elsewhere */
    bool is_plain;  /* no clipping, no Gaussian */
};

/* Each n-gram counts once for an item, however many of its references have it. */
static void find_rarity(const struct captions *c, double *rarity)
{
    int64_t *seen = mem_new(int64_t, c->n_ngrams + 1); /* item + 1 that counted it last */

    for (int64_t i = 0; i < c->n; i++) {
        for (int64_t r = c->ref_start[i]; r < c->ref_start[i + 1]; r++) {
            for (int k = 0; k < NGRAM_MAX; k++) {
                for (int64_t g = 0; g < c->refs[r].n_ngrams[k]; g++) {
                    int32_t id = c->refs[r].ngrams[k][g].id;
                    rarity[id] += seen[id] != i + 1;
                    seen[id] = i + 1;
                }
            }
        }
    }
    for (int64_t id = 0; id < c->n_ngrams; id++) rarity[id] = log((double)c->n) - log(rarity[id] > 1 ? rarity[id] : 1);
    free(seen);
}

static double norm(const struct sentence *x, int k, const double *rarity)
{
    double square = 0;

    for (int64_t i = 0; i < x->n_ngrams[k]; i++) {
        double w = x->ngrams[k][i].count * rarity[x->ngrams[k][i].id];
        square += w * w;
    }
    return sqrt(square);
}

/* The clipped cosine of a prediction and a reference, summed over the orders. */
static double similarity(const struct sentence *pred, const double pred_norm[NGRAM_MAX], const struct sentence *ref,
                         struct weights *w)
{
    double pred_bigrams = pred->n_words > 1 ? (double)pred->n_words - 1 : 0,
           ref_bigrams = ref->n_words > 1 ? (double)ref->n_words - 1 : 0;
    double gap = pred_bigrams - ref_bigrams, sum = 0;

    for (int k = 0; k < NGRAM_MAX; k++) {
        double dot = 0, ref_norm = norm(ref, k, w->rarity);
        for (int64_t i = 0; i < ref->n_ngrams[k]; i++)
            w->ref[ref->ngrams[k][i].id] = ref->ngrams[k][i].count * w->rarity[ref->ngrams[k][i].id];
        for (int64_t i = 0; i < pred->n_ngrams[k]; i++) {
            double in_ref = w->ref[pred->ngrams[k][i].id],
                   in_pred = pred->ngrams[k][i].count * w->rarity[pred->ngrams[k][i].id];
            dot += (in_pred < in_ref || w->is_plain ? in_pred : in_ref) * in_ref;
        }
        for (int64_t i = 0; i < ref->n_ngrams[k]; i++) w->ref[ref->ngrams[k][i].id] = 0;
        if (pred_norm[k] != 0 && ref_norm != 0) dot /= pred_norm[k] * ref_norm;
        sum += dot;
    }
    return w->is_plain ? sum : sum * exp(-gap * gap / (2 * 6.0 * 6.0));
}

static void score_all(const struct captions *c, bool is_plain, double *each)
{
    struct weights w = { mem_new(double, c->n_ngrams + 1), mem_new(double, c->n_ngrams + 1), is_plain };

    find_rarity(c, w.rarity);
    for (int64_t i = 0; i < c->n; i++) {
        double pred_norm[NGRAM_MAX], sum = 0;
        int64_t n;
        const struct sentence *refs = captions_refs(c, i, &n);
        for (int k = 0; k < NGRAM_MAX; k++) pred_norm[k] = norm(&c->preds[i], k, w.rarity);
        for (int64_t r = 0; r < n; r++) sum += similarity(&c->preds[i], pred_norm, &refs[r], &w);
        each[i] = sum * (10.0 / NGRAM_MAX / (double)n);
    }
    free(w.rarity);
    free(w.ref);
}

double cider_d(const struct score_item *items, int64_t n, double *each)
{
    double *all = each ? each : mem_new(double, n + 1), sum = 0;
    struct captions c;

    captions_make(&c, items, n, CAPTIONS_PTB, NGRAM_MAX, 1);
    score_all(&c, false, all);
    captions_release(&c);
    for (int64_t i = 0; i < n; i++) sum += all[i];
    if (!each) free(all);
    return n ? sum / (double)n : 0;
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct score_data *d = t->data;
    const struct captions *c = &d->captions;
    struct weights w = { mem_new(double, c->n_ngrams + 1), mem_new(double, c->n_ngrams + 1), t->more != NULL };
    struct value *each = value_array();
    double pred_norm[NGRAM_MAX];
    int64_t n;

    const struct sentence *refs = captions_refs(c, i, &n);
    captions_explain(c, i, out);
    find_rarity(c, w.rarity);
    for (int k = 0; k < NGRAM_MAX; k++) pred_norm[k] = norm(&c->preds[i], k, w.rarity);
    for (int64_t r = 0; r < n; r++)
        value_push(each, value_real(10.0 / NGRAM_MAX * similarity(&c->preds[i], pred_norm, &refs[r], &w)));
    value_set(out, "similarity", each);
    free(w.rarity);
    free(w.ref);
}

static int count(const struct score_data *d, const char *name, bool is_plain, struct tally *out, struct err *e)
{
    if (d->captions.n == 1)
        return err_set(e, ERR_INPUT,
                       "one item alone would score 0: its words are in every document; document frequencies need more");
    tally_begin(out, name, d->captions.n, d->texts.id, 1);
    tally_figure(out, "score", 100, 1, 3);
    captions_signature(d, &out->signature);
    str_add(&out->signature, is_plain ? "|cider|df:self" : "|cider-d|df:self|sigma:6");
    out->finish = tally_means;
    out->explain = explain;
    out->data = d;
    if (is_plain) out->more = mem_new(bool, 1);
    score_all(&d->captions, is_plain, out->stats);
    return 1;
}

int cider_count(const struct score_data *d, struct tally *out, struct err *e)
{
    return count(d, "cider", false, out, e);
}

int cider_original_count(const struct score_data *d, struct tally *out, struct err *e)
{
    return count(d, "cider-original", true, out, e);
}
