#include "score/cider.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

struct weights {
    double *rarity; /* of each n-gram: ln of items over items whose references have it */
    double *ref;    /* of the n-grams of one reference: TF-IDF; 0 elsewhere */
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
            dot += (in_pred < in_ref ? in_pred : in_ref) * in_ref;
        }
        for (int64_t i = 0; i < ref->n_ngrams[k]; i++) w->ref[ref->ngrams[k][i].id] = 0;
        if (pred_norm[k] != 0 && ref_norm != 0) dot /= pred_norm[k] * ref_norm;
        sum += dot;
    }
    return sum * exp(-gap * gap / (2 * 6.0 * 6.0));
}

double cider_d_of(const struct captions *c, double *each)
{
    struct weights w = { mem_new(double, c->n_ngrams + 1), mem_new(double, c->n_ngrams + 1) };
    double all = 0;

    find_rarity(c, w.rarity);
    for (int64_t i = 0; i < c->n; i++) {
        double pred_norm[NGRAM_MAX], sum = 0;
        for (int k = 0; k < NGRAM_MAX; k++) pred_norm[k] = norm(&c->preds[i], k, w.rarity);
        for (int64_t r = c->ref_start[i]; r < c->ref_start[i + 1]; r++)
            sum += similarity(&c->preds[i], pred_norm, &c->refs[r], &w);
        sum *= 10.0 / NGRAM_MAX / (double)(c->ref_start[i + 1] - c->ref_start[i]);
        if (each) each[i] = sum;
        all += sum;
    }
    free(w.rarity);
    free(w.ref);
    return c->n ? all / (double)c->n : 0;
}

double cider_d(const struct score_item *items, int64_t n, double *each)
{
    struct captions c;

    captions_make(&c, items, n);
    double score = cider_d_of(&c, each);
    captions_release(&c);
    return score;
}

void cider_report(const struct score_data *d, struct report *r)
{
    double *each = mem_new(double, d->captions.n + 1);

    report_begin(r, "cider", d->captions.n, "coco-caption|cider-d|tok:ptb-3.4.1|df:self|sigma:6|0..10");
    report_figure(r, "score", cider_d_of(&d->captions, each));
    for (int64_t i = 0; i < d->captions.n; i++) report_each(r, d->texts.id[i], "cider", each[i]);
    free(each);
}
