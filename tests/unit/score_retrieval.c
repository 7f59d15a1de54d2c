/* Recall and ranks against their definition, with ties, and what they are at the borders. */
#include "core/mem.h"
#include "core/rng.h"
#include "score/retrieval.h"
#include "tap.h"

/* Rank of the best of `right` among n candidates: sorted with the right ones after half of their equals. */
static double rank_by_definition(const float *score, const bool *right, int n)
{
    float best = -INFINITY;
    double above = 0, equal = 0;

    for (int i = 0; i < n; i++) {
        if (right[i] && score[i] > best) best = score[i];
    }
    for (int i = 0; i < n; i++) {
        above += !right[i] && score[i] > best;
        equal += !right[i] && score[i] == best;
    }
    return 1 + above + equal / 2;
}

static double rank_of(const struct tally *t, int64_t i)
{
    double x[TALLY_FIGURES];

    tally_each(t, i, x);
    return x[3];
}

static void random_tables(void)
{
    struct rng r;
    int good = 0, all = 0;

    rng_init(&r, 9, 1);
    for (int t = 0; t < 200; t++) {
        enum { MAX = 40 };
        int n_texts = 1 + (int)rng_below(&r, MAX), n_images = 1 + (int)rng_below(&r, MAX);
        float scores[MAX * MAX], column[MAX];
        int64_t gold[MAX];
        bool right[MAX];
        for (int i = 0; i < n_texts * n_images; i++) scores[i] = (float)rng_below(&r, 12) - 6;
        for (int i = 0; i < n_texts; i++) gold[i] = (int64_t)rng_below(&r, (uint64_t)n_images);
        struct score_opts o = { 0 };
        struct score_data d = {
            .o = &o, .matrix = { .n_texts = n_texts, .n_images = n_images, .scores = scores, .gold = gold }
        };
        struct tally out[2];
        struct err e = { 0 };
        for (int i = 0; i < MAX; i++) map_put(&d.matrix.texts, &i, sizeof i, NULL);
        for (int i = 0; i < MAX; i++) map_put(&d.matrix.images, &i, sizeof i, NULL);
        good -= retrieval_count(&d, out, &e) != 2;
        int64_t found = 0;
        for (int i = 0; i < n_texts; i++, all++) {
            for (int k = 0; k < n_images; k++) right[k] = gold[i] == k;
            good += rank_of(&out[0], i) == rank_by_definition(scores + i * n_images, right, n_images);
        }
        for (int k = 0; k < n_images; k++, all++) {
            bool any = false;
            for (int i = 0; i < n_texts; i++) {
                column[i] = scores[i * n_images + k];
                any |= right[i] = gold[i] == k;
            }
            good += !any || rank_of(&out[1], found++) == rank_by_definition(column, right, n_texts);
        }
        good -= found != out[1].n; /* images without texts are left out */
        tally_release(&out[0]);
        tally_release(&out[1]);
        map_release(&d.matrix.texts);
        map_release(&d.matrix.images);
    }
    is_int(good, all, "ranks of 200 random tables with many ties");
}

int main(void)
{
    struct recall a, b;

    retrieval_recall(&a, &b, (const float[]){ 3, 2, 1, 1, 3, 2 }, (const int64_t[]){ 0, 2 }, 2, 3);
    near(a.at1, 50, 1e-12, "two texts, three images: R@1");
    near(a.at5, 100, 1e-12, "fewer candidates than 5: R@5 is all");
    near(a.mean_rank, 1.5, 1e-12, "mean rank");
    near(a.median_rank, 1.5, 1e-12, "median rank");
    is_int(b.n, 2, "an image without texts is left out");
    near(b.at1, 100, 1e-12, "image to text");
    is_int(a.ties + b.ties, 0, "no ties");
    retrieval_recall(&a, &b, (const float[]){ 1, 1, 1, 1 }, (const int64_t[]){ 0, 1 }, 2, 2);
    near(a.at1, 100, 1e-12, "half way between the first and the second place is within the first");
    near(a.mean_rank, 1.5, 1e-12, "and has rank 1.5");
    is_int(a.ties, 2, "and is counted");
    retrieval_recall(&a, &b, (const float[]){ 1, 1, 1 }, (const int64_t[]){ 0 }, 1, 3);
    near(a.at1, 0, 1e-12, "but the middle of three is not");
    retrieval_recall(&a, &b, (const float[]){ 5, 5, 1 }, (const int64_t[]){ 0, 0, 0 }, 3, 1);
    near(b.at1, 100, 1e-12, "an image's own texts are no rivals");
    is_int(b.ties, 0, "nor ties");
    retrieval_recall(&a, &b, (const float[]){ -INFINITY, -INFINITY }, (const int64_t[]){ 0 }, 1, 2);
    near(a.mean_rank, 1.5, 1e-12, "scores of minus infinity tie like others");
    near(b.mean_rank, 1, 1e-12, "and a single text is found");
    random_tables();
    return done();
}
