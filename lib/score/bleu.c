#include "score/bleu.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static int64_t most(const struct ngrams *refs, int n, int k, const struct map_entry *x)
{
    int64_t best = 0;

    for (int r = 0; r < n; r++) {
        const int64_t *c = map_find(&refs[r].count[k], x->key, x->n);
        if (c && *c > best) best = *c;
    }
    return best;
}

static void add_item(struct tally *t, const struct score_item *item)
{
    struct words pred;
    struct ngrams got, *refs = mem_new(struct ngrams, item->n_refs + 1);
    int64_t closest = -1;

    words_of(&pred, item->pred);
    ngrams_count(&got, &pred);
    for (int r = 0; r < item->n_refs; r++) {
        struct words ref;
        words_of(&ref, item->refs[r]);
        ngrams_count(&refs[r], &ref);
        int64_t gap = llabs(ref.n - pred.n), best = llabs(closest - pred.n);
        if (closest < 0 || gap < best || (gap == best && ref.n < closest)) closest = ref.n;
        words_release(&ref);
    }
    t->length += pred.n;
    t->ref_length += closest;
    for (int k = 0; k < NGRAM_MAX; k++) {
        t->guess[k] += pred.n > k ? pred.n - k : 0;
        for (int64_t i = 0; i < got.count[k].n; i++) {
            const struct map_entry *x = &got.count[k].at[i];
            int64_t limit = most(refs, item->n_refs, k, x);
            t->correct[k] += x->value < limit ? x->value : limit;
        }
    }
    for (int r = 0; r < item->n_refs; r++) ngrams_release(&refs[r]);
    free(refs);
    ngrams_release(&got);
    words_release(&pred);
}

void bleu(const struct score_item *items, int64_t n, double out[NGRAM_MAX], double *each)
{
    struct tally all = { 0 };

    for (int64_t i = 0; i < n; i++) {
        struct tally one = { 0 };
        add_item(&one, &items[i]);
        if (each) finish(&one, each + NGRAM_MAX * i);
        all.length += one.length;
        all.ref_length += one.ref_length;
        for (int k = 0; k < NGRAM_MAX; k++) {
            all.guess[k] += one.guess[k];
            all.correct[k] += one.correct[k];
        }
    }
    finish(&all, out);
}
