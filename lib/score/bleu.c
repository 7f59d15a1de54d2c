#include "score/bleu.h"
#include "core/mem.h"
#include "score/explain.h"
#include <math.h>
#include <stdlib.h>

static void finish(const struct tally *t, const double *sum, double n, double *out)
{
    double product = 1, ratio = (sum[BLEU_LENGTH] + 1e-15) / (sum[BLEU_REF_LENGTH] + 1e-9);

    (void)t, (void)n;
    for (int k = 0; k < NGRAM_MAX; k++) {
        product *= (sum[BLEU_CORRECT + k] + 1e-15) / (sum[BLEU_GUESS + k] + 1e-9);
        out[k] = pow(product, 1.0 / (k + 1));
        if (ratio < 1) out[k] *= exp(1 - 1 / ratio);
    }
}

/* Length of the reference that is closest; of two as close, the shorter. */
static int64_t closest(const struct sentence *refs, int64_t n, int64_t length)
{
    int64_t best = refs[0].n_words;

    for (int64_t r = 1; r < n; r++) {
        int64_t gap = llabs(refs[r].n_words - length), least = llabs(best - length);
        if (gap < least || (gap == least && refs[r].n_words < best)) best = refs[r].n_words;
    }
    return best;
}

/* most[id]: how often a reference of this item has an n-gram at most; all 0 between items. */
static void count_item(double *row, const struct sentence *pred, const struct sentence *refs, int64_t n, int32_t *most)
{
    row[BLEU_LENGTH] = (double)pred->n_words;
    row[BLEU_REF_LENGTH] = (double)closest(refs, n, pred->n_words);
    for (int k = 0; k < NGRAM_MAX; k++) {
        row[BLEU_GUESS + k] = pred->n_words > k ? (double)(pred->n_words - k) : 0;
        for (int64_t r = 0; r < n; r++) {
            for (int64_t i = 0; i < refs[r].n_ngrams[k]; i++) {
                struct ngram x = refs[r].ngrams[k][i];
                if (x.count > most[x.id]) most[x.id] = x.count;
            }
        }
        for (int64_t i = 0; i < pred->n_ngrams[k]; i++) {
            struct ngram x = pred->ngrams[k][i];
            row[BLEU_CORRECT + k] += x.count < most[x.id] ? x.count : most[x.id];
        }
        for (int64_t r = 0; r < n; r++) {
            for (int64_t i = 0; i < refs[r].n_ngrams[k]; i++) most[refs[r].ngrams[k][i].id] = 0;
        }
    }
}

void bleu_statistics(const struct captions *c, double *rows)
{
    int32_t *most = mem_new(int32_t, c->n_ngrams + 1);

    for (int64_t i = 0; i < c->n; i++) {
        int64_t n;
        const struct sentence *refs = captions_refs(c, i, &n);
        count_item(rows + i * BLEU_WIDTH, &c->preds[i], refs, n, most);
    }
    free(most);
}

void bleu(const struct captions *c, double out[NGRAM_MAX])
{
    struct tally t;

    tally_begin(&t, "bleu", c->n, NULL, BLEU_WIDTH);
    bleu_statistics(c, t.stats);
    t.finish = finish;
    tally_finish(&t, out);
    tally_release(&t);
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct score_data *d = t->data;
    const double *row = t->stats + i * BLEU_WIDTH;

    captions_explain(&d->captions, i, out);
    value_set(out, "length", value_int((int64_t)row[BLEU_LENGTH]));
    value_set(out, "closest_ref_length", value_int((int64_t)row[BLEU_REF_LENGTH]));
    struct value *correct = value_array(), *guess = value_array();
    for (int k = 0; k < NGRAM_MAX; k++) {
        value_push(correct, value_int((int64_t)row[BLEU_CORRECT + k]));
        value_push(guess, value_int((int64_t)row[BLEU_GUESS + k]));
    }
    value_set(out, "correct", correct);
    value_set(out, "guess", guess);
}

int bleu_count(const struct score_data *d, struct tally *out, struct err *e)
{
    static const char *const names[NGRAM_MAX] = { "bleu1", "bleu2", "bleu3", "bleu4" };

    (void)e;
    tally_begin(out, "bleu", d->captions.n, d->texts.id, BLEU_WIDTH);
    for (int k = 0; k < NGRAM_MAX; k++) tally_figure(out, names[k], 100, 1, 3);
    captions_signature(d, &out->signature);
    str_add(&out->signature, "|ref:closest|smooth:tiny");
    out->explain = explain;
    out->data = d;
    bleu_statistics(&d->captions, out->stats);
    out->finish = finish;
    return 1;
}
