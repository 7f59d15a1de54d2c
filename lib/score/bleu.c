#include "score/bleu.h"
#include "core/mem.h"
#include "core/pool.h"
#include "score/explain.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Runs of words of one prediction, which alone can match: a run is known by the run without its last word, and that
 * word. */
struct gram {
    int32_t shorter, word, id; /* id + 1: 0 is free */
};
struct counting { /* a thread's room */
    struct gram *slot;
    int64_t n_slots, cap_slots; /* a power of two, twice the runs or more */
    int32_t n;
    int32_t *runs;                    /* run that ends at a word, or -1 */
    int32_t *in_pred, *in_ref, *most; /* [n]; in_ref: of the reference at hand; most: of any */
    int64_t cap_runs, cap_pred, cap_ref, cap_most;
};

static struct gram *find_gram(const struct counting *x, int32_t shorter, int32_t word)
{
    uint64_t h = ((uint64_t)(uint32_t)shorter << 32 | (uint32_t)word) * 0x9E3779B97F4A7C15u;

    for (int64_t at = (int64_t)(h >> 32);; at++) {
        struct gram *g = &x->slot[at & (x->n_slots - 1)];
        if (!g->id || (g->shorter == shorter && g->word == word)) return g;
    }
}

static void begin_item(struct counting *x, int64_t words)
{
    for (x->n_slots = 64; x->n_slots < 2 * NGRAM_MAX * words;) x->n_slots *= 2;
    mem_reserve(&x->slot, &x->cap_slots, x->n_slots);
    memset(x->slot, 0, (size_t)x->n_slots * sizeof *x->slot);
    mem_reserve(&x->in_pred, &x->cap_pred, NGRAM_MAX * words + 1);
    mem_reserve(&x->in_ref, &x->cap_ref, NGRAM_MAX * words + 1);
    mem_reserve(&x->most, &x->cap_most, NGRAM_MAX * words + 1);
    x->n = 0;
}

/* The runs of k + 1 words of the prediction; x->runs has those of k, and gets these. Returns the first one's number. */
static int32_t add_runs(struct counting *x, const struct sentence *pred, int k)
{
    int32_t first = x->n;

    for (int64_t i = 0; i + k < pred->n_words; i++) {
        struct gram *g = find_gram(x, k ? x->runs[i] : -1, pred->words[i + k]);
        if (!g->id) {
            *g = (struct gram){ k ? x->runs[i] : -1, pred->words[i + k], x->n + 1 };
            x->in_pred[x->n] = x->in_ref[x->n] = x->most[x->n] = 0;
            x->n++;
        }
        x->runs[i] = g->id - 1;
        x->in_pred[g->id - 1]++;
    }
    return first;
}

/* Counts the prediction's runs in a reference. */
static void count_ref(struct counting *x, const struct sentence *ref)
{
    mem_reserve(&x->runs, &x->cap_runs, ref->n_words + 1);
    memset(x->in_ref, 0, (size_t)x->n * sizeof *x->in_ref);
    for (int k = 0; k < NGRAM_MAX; k++) {
        for (int64_t i = 0; i + k < ref->n_words; i++) {
            if (k && x->runs[i] < 0) continue;
            x->runs[i] = find_gram(x, k ? x->runs[i] : -1, ref->words[i + k])->id - 1;
            if (x->runs[i] >= 0) x->in_ref[x->runs[i]]++;
        }
    }
    for (int32_t id = 0; id < x->n; id++) {
        if (x->in_ref[id] > x->most[id]) x->most[id] = x->in_ref[id];
    }
}

static void count_item(struct counting *x, double *row, const struct sentence *pred, const struct sentence *refs,
                       int64_t n)
{
    int32_t first[NGRAM_MAX + 1];

    begin_item(x, pred->n_words);
    mem_reserve(&x->runs, &x->cap_runs, pred->n_words + 1);
    for (int k = 0; k < NGRAM_MAX; k++) first[k] = add_runs(x, pred, k);
    first[NGRAM_MAX] = x->n;
    for (int64_t r = 0; r < n; r++) count_ref(x, &refs[r]);
    row[BLEU_LENGTH] = (double)pred->n_words;
    row[BLEU_REF_LENGTH] = (double)closest(refs, n, pred->n_words);
    for (int k = 0; k < NGRAM_MAX; k++) {
        row[BLEU_GUESS + k] = pred->n_words > k ? (double)(pred->n_words - k) : 0;
        for (int32_t id = first[k]; id < first[k + 1]; id++)
            row[BLEU_CORRECT + k] += x->in_pred[id] < x->most[id] ? x->in_pred[id] : x->most[id];
    }
}

struct work {
    const struct captions *c;
    double *rows;
    struct counting *rooms;
};

static int count_one(int64_t i, int worker, void *arg, struct err *e)
{
    const struct work *w = arg;
    int64_t n;
    const struct sentence *refs = captions_refs(w->c, i, &n);

    count_item(&w->rooms[worker], w->rows + i * BLEU_WIDTH, &w->c->preds[i], refs, n);
    return 0;
}

void bleu_statistics(const struct captions *c, double *rows, int threads)
{
    if (!threads) threads = pool_cpus();
    struct work w = { c, rows, mem_new(struct counting, threads) };
    struct err e = { 0 };

    pool_for(c->n, 64, threads, count_one, &w, &e); /* nothing in it can fail */
    for (int k = 0; k < threads; k++) {
        free(w.rooms[k].slot);
        free(w.rooms[k].runs);
        free(w.rooms[k].in_pred);
        free(w.rooms[k].in_ref);
        free(w.rooms[k].most);
    }
    free(w.rooms);
}

void bleu(const struct captions *c, double out[NGRAM_MAX])
{
    struct tally t;

    tally_begin(&t, "bleu", c->n, NULL, BLEU_WIDTH);
    bleu_statistics(c, t.stats, 1);
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

    tally_begin(out, "bleu", d->captions.n, d->texts.id, BLEU_WIDTH);
    for (int k = 0; k < NGRAM_MAX; k++) tally_figure(out, names[k], 100, 1, 3);
    captions_signature(d, &out->signature);
    str_add(&out->signature, "|ref:closest|smooth:tiny");
    out->explain = explain;
    out->data = d;
    bleu_statistics(&d->captions, out->stats, d->o->threads);
    out->finish = finish;
    return 1;
}
