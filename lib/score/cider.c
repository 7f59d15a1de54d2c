#include "score/cider.h"
#include "core/mem.h"
#include "score/ngrams.h"
#include <math.h>
#include <stdlib.h>

/* A caption as TF-IDF vectors, one for each order; weights are by entry of the n-gram maps. */
struct vector {
    struct ngrams g;
    double *weight[NGRAM_MAX], norm[NGRAM_MAX];
    int64_t bigrams; /* its length */
};
struct frequency { /* images whose references hold an n-gram */
    struct map images[NGRAM_MAX];
    double log_images;
};

static void vector_make(struct vector *v, const struct words *w, const struct frequency *f)
{
    *v = (struct vector){ .bigrams = w->n > 1 ? w->n - 1 : 0 };
    ngrams_count(&v->g, w);
    for (int k = 0; k < NGRAM_MAX; k++) {
        double square = 0;
        v->weight[k] = mem_new(double, v->g.count[k].n + 1);
        for (int64_t i = 0; i < v->g.count[k].n; i++) {
            const struct map_entry *x = &v->g.count[k].at[i];
            const int64_t *df = map_find(&f->images[k], x->key, x->n);
            v->weight[k][i] = (double)x->value * (f->log_images - log(df && *df > 1 ? (double)*df : 1.0));
            square += v->weight[k][i] * v->weight[k][i];
        }
        v->norm[k] = sqrt(square);
    }
}

static void vector_release(struct vector *v)
{
    for (int k = 0; k < NGRAM_MAX; k++) free(v->weight[k]);
    ngrams_release(&v->g);
}

/* Each n-gram counts once for an image, however many of its references hold it. */
static void count_item(struct frequency *f, const struct score_item *item)
{
    struct map seen[NGRAM_MAX] = { 0 };

    for (int r = 0; r < item->n_refs; r++) {
        struct words w;
        struct ngrams g;
        words_of(&w, item->refs[r]);
        ngrams_count(&g, &w);
        for (int k = 0; k < NGRAM_MAX; k++) {
            for (int64_t i = 0; i < g.count[k].n; i++) {
                const struct map_entry *x = &g.count[k].at[i];
                bool is_new;
                map_put(&seen[k], x->key, x->n, &is_new);
                if (is_new) ++*map_put(&f->images[k], x->key, x->n, NULL);
            }
        }
        ngrams_release(&g);
        words_release(&w);
    }
    for (int k = 0; k < NGRAM_MAX; k++) map_release(&seen[k]);
}

/* The clipped cosine of two captions, summed over the orders. */
static double similarity(const struct vector *pred, const struct vector *ref)
{
    double gap = (double)(pred->bigrams - ref->bigrams), sum = 0;

    for (int k = 0; k < NGRAM_MAX; k++) {
        double dot = 0;
        for (int64_t i = 0; i < pred->g.count[k].n; i++) {
            const struct map_entry *x = &pred->g.count[k].at[i];
            const int64_t *there = map_find(&ref->g.count[k], x->key, x->n);
            if (!there) continue;
            int64_t at = (const struct map_entry *)((const char *)there - offsetof(struct map_entry, value)) - ref->g.count[k].at;
            double w = ref->weight[k][at];
            dot += (pred->weight[k][i] < w ? pred->weight[k][i] : w) * w;
        }
        if (pred->norm[k] != 0 && ref->norm[k] != 0) dot /= pred->norm[k] * ref->norm[k];
        sum += dot;
    }
    return sum * exp(-gap * gap / (2 * 6.0 * 6.0));
}

static double score_item(const struct score_item *item, const struct frequency *f)
{
    struct words w;
    struct vector pred, ref;
    double sum = 0;

    words_of(&w, item->pred);
    vector_make(&pred, &w, f);
    words_release(&w);
    for (int r = 0; r < item->n_refs; r++) {
        words_of(&w, item->refs[r]);
        vector_make(&ref, &w, f);
        sum += similarity(&pred, &ref);
        vector_release(&ref);
        words_release(&w);
    }
    vector_release(&pred);
    return 10 * sum / NGRAM_MAX / item->n_refs;
}

double cider_d(const struct score_item *items, int64_t n, double *each)
{
    struct frequency f = { .log_images = n ? log((double)n) : 0 };
    double sum = 0;

    for (int64_t i = 0; i < n; i++) count_item(&f, &items[i]);
    for (int64_t i = 0; i < n; i++) {
        double s = score_item(&items[i], &f);
        if (each) each[i] = s;
        sum += s;
    }
    for (int k = 0; k < NGRAM_MAX; k++) map_release(&f.images[k]);
    return n ? sum / (double)n : 0;
}
