#include "score/bleu.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

struct tally {
    int64_t guess[NGRAM_MAX], correct[NGRAM_MAX], length, ref_length;
};

static void finish(const struct tally *t, double out[NGRAM_MAX])
{
    double product = 1, ratio = ((double)t->length + 1e-15) / ((double)t->ref_length + 1e-9);

    for (int k = 0; k < NGRAM_MAX; k++) {
        product *= ((double)t->correct[k] + 1e-15) / ((double)t->guess[k] + 1e-9);
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
static void add_item(struct tally *t, const struct sentence *pred, const struct sentence *refs, int64_t n,
                     int32_t *most)
{
    t->length += pred->n_words;
    t->ref_length += closest(refs, n, pred->n_words);
    for (int k = 0; k < NGRAM_MAX; k++) {
        t->guess[k] += pred->n_words > k ? pred->n_words - k : 0;
        for (int64_t r = 0; r < n; r++) {
            for (int64_t i = 0; i < refs[r].n_ngrams[k]; i++) {
                struct ngram x = refs[r].ngrams[k][i];
                if (x.count > most[x.id]) most[x.id] = x.count;
            }
        }
        for (int64_t i = 0; i < pred->n_ngrams[k]; i++) {
            struct ngram x = pred->ngrams[k][i];
            t->correct[k] += x.count < most[x.id] ? x.count : most[x.id];
        }
        for (int64_t r = 0; r < n; r++) {
            for (int64_t i = 0; i < refs[r].n_ngrams[k]; i++) most[refs[r].ngrams[k][i].id] = 0;
        }
    }
}

void bleu(const struct captions *c, double out[NGRAM_MAX], double *each)
{
    struct tally all = { 0 };
    int32_t *most = mem_new(int32_t, c->n_ngrams + 1);

    for (int64_t i = 0; i < c->n; i++) {
        struct tally one = { 0 };
        add_item(&one, &c->preds[i], c->refs + c->ref_start[i], c->ref_start[i + 1] - c->ref_start[i], most);
        if (each) finish(&one, each + NGRAM_MAX * i);
        all.length += one.length;
        all.ref_length += one.ref_length;
        for (int k = 0; k < NGRAM_MAX; k++) {
            all.guess[k] += one.guess[k];
            all.correct[k] += one.correct[k];
        }
    }
    finish(&all, out);
    free(most);
}

void bleu_report(const struct score_data *d, struct report *r)
{
    static const char *const names[NGRAM_MAX] = { "bleu1", "bleu2", "bleu3", "bleu4" };
    double all[NGRAM_MAX], *each = mem_new(double, NGRAM_MAX * d->captions.n + 1);

    bleu(&d->captions, all, each);
    report_begin(r, "bleu", d->captions.n, "coco-caption|tok:ptb-3.4.1|ref:closest|smooth:tiny|x100");
    for (int k = 0; k < NGRAM_MAX; k++) report_figure(r, names[k], 100 * all[k]);
    for (int64_t i = 0; i < d->captions.n; i++) report_each(r, d->texts.id[i], "bleu4", 100 * each[NGRAM_MAX * i + 3]);
    free(each);
}
