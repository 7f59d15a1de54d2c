#include "score/retrieval.h"
#include "core/mem.h"
#include <stdbool.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ranks count from 0. */
static struct recall summary(double *ranks, int64_t n, int64_t candidates, int64_t ties)
{
    struct recall r = { .n = n, .ties = ties };
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        r.at1 += ranks[i] < 1 || candidates < 1;
        r.at5 += ranks[i] < 5 || candidates < 5;
        r.at10 += ranks[i] < 10 || candidates < 10;
        sum += ranks[i] + 1;
    }
    if (!n) return r;
    qsort(ranks, (size_t)n, sizeof *ranks, ascending);
    r.at1 *= 100.0 / (double)n;
    r.at5 *= 100.0 / (double)n;
    r.at10 *= 100.0 / (double)n;
    r.mean_rank = sum / (double)n;
    r.median_rank = (ranks[(n - 1) / 2] + ranks[n / 2]) / 2 + 1;
    return r;
}

void retrieval_recall(struct recall *text_to_image, struct recall *image_to_text, const float *scores, const int64_t *gold, int64_t n_texts,
                      int64_t n_images)
{
    double *ranks = mem_new(double, (n_texts > n_images ? n_texts : n_images) + 1);
    int64_t ties = 0, n = 0;

    for (int64_t i = 0; i < n_texts; i++) {
        const float *row = scores + i * n_images;
        int64_t above = 0, equal = 0;
        for (int64_t k = 0; k < n_images; k++) {
            above += row[k] > row[gold[i]];
            equal += k != gold[i] && row[k] == row[gold[i]];
        }
        ties += equal > 0;
        ranks[i] = (double)above + (double)equal / 2;
    }
    *text_to_image = summary(ranks, n_texts, n_images, ties);
    ties = 0;
    for (int64_t k = 0; k < n_images; k++) {
        int64_t best = -1, above = 0, equal = 0;
        for (int64_t i = 0; i < n_texts; i++) {
            if (gold[i] == k && (best < 0 || scores[i * n_images + k] > scores[best * n_images + k])) best = i;
        }
        if (best < 0) continue;
        for (int64_t i = 0; i < n_texts; i++) {
            if (gold[i] == k) continue; /* one's own other texts are no rivals */
            above += scores[i * n_images + k] > scores[best * n_images + k];
            equal += scores[i * n_images + k] == scores[best * n_images + k];
        }
        ties += equal > 0;
        ranks[n++] = (double)above + (double)equal / 2;
    }
    *image_to_text = summary(ranks, n, n_texts, ties);
    free(ranks);
}
