#include "score/retrieval.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

/* Candidates above the right one, and as high. */
struct rivals {
    int64_t above, equal;
};

static double rank_of(struct rivals r)
{
    return 1 + (double)r.above + (double)r.equal / 2;
}

static void count_texts(struct rivals *out, const float *scores, const int64_t *gold, int64_t n_texts, int64_t n_images)
{
    for (int64_t i = 0; i < n_texts; i++) {
        const float *row = scores + i * n_images, right = row[gold[i]];
        int32_t above = 0, equal = 0; /* a row has less than 2^31 */
        for (int64_t k = 0; k < n_images; k++) {
            above += row[k] > right;
            equal += row[k] == right;
        }
        out[i] = (struct rivals){ above, equal - 1 };
    }
}

/* Row by row, as the scores lie in memory. An image's own other texts are no rivals of its best one. above is -1 for
 * images without texts. */
static void count_images(struct rivals *out, const float *scores, const int64_t *gold, int64_t n_texts,
                         int64_t n_images)
{
    float *best = mem_new(float, n_images + 1);
    int32_t *above = mem_new(int32_t, n_images + 1), *equal = mem_new(int32_t, n_images + 1),
            *own = mem_new(int32_t, n_images + 1);

    for (int64_t k = 0; k < n_images; k++) best[k] = -INFINITY;
    for (int64_t i = 0; i < n_texts; i++) {
        float s = scores[i * n_images + gold[i]];
        if (!own[gold[i]]++ || s > best[gold[i]]) best[gold[i]] = s;
    }
    for (int64_t i = 0; i < n_texts; i++) {
        const float *row = scores + i * n_images;
        for (int64_t k = 0; k < n_images; k++) {
            above[k] += row[k] > best[k];
            equal[k] += row[k] == best[k];
        }
        equal[gold[i]] -= row[gold[i]] == best[gold[i]];
    }
    for (int64_t k = 0; k < n_images; k++)
        out[k] = own[k] ? (struct rivals){ above[k], equal[k] } : (struct rivals){ -1, 0 };
    free(best);
    free(above);
    free(equal);
    free(own);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static struct recall summary(const struct rivals *rivals, int64_t n)
{
    struct recall r = { 0 };
    double *ranks = mem_new(double, n + 1), sum = 0;

    for (int64_t i = 0; i < n; i++) {
        if (rivals[i].above < 0) continue;
        double rank = ranks[r.n++] = rank_of(rivals[i]);
        r.at1 += rank < 2;
        r.at5 += rank < 6;
        r.at10 += rank < 11;
        r.ties += rivals[i].equal > 0;
        sum += rank;
    }
    if (r.n) {
        qsort(ranks, (size_t)r.n, sizeof *ranks, ascending);
        r.at1 *= 100.0 / (double)r.n;
        r.at5 *= 100.0 / (double)r.n;
        r.at10 *= 100.0 / (double)r.n;
        r.mean_rank = sum / (double)r.n;
        r.median_rank = (ranks[(r.n - 1) / 2] + ranks[r.n / 2]) / 2;
    }
    free(ranks);
    return r;
}

void retrieval_recall(struct recall *text_to_image, struct recall *image_to_text, const float *scores,
                      const int64_t *gold, int64_t n_texts, int64_t n_images)
{
    struct rivals *texts = mem_new(struct rivals, n_texts + 1), *images = mem_new(struct rivals, n_images + 1);

    count_texts(texts, scores, gold, n_texts, n_images);
    count_images(images, scores, gold, n_texts, n_images);
    *text_to_image = summary(texts, n_texts);
    *image_to_text = summary(images, n_images);
    free(texts);
    free(images);
}

void retrieval_ranks(double *of_texts, double *of_images, const float *scores, const int64_t *gold, int64_t n_texts,
                     int64_t n_images)
{
    struct rivals *texts = mem_new(struct rivals, n_texts + 1), *images = mem_new(struct rivals, n_images + 1);

    count_texts(texts, scores, gold, n_texts, n_images);
    count_images(images, scores, gold, n_texts, n_images);
    for (int64_t i = 0; i < n_texts; i++) of_texts[i] = rank_of(texts[i]);
    for (int64_t k = 0; k < n_images; k++) of_images[k] = images[k].above < 0 ? 0 : rank_of(images[k]);
    free(texts);
    free(images);
}

static void report_recall(struct report *out, const char *name, const struct recall *r)
{
    report_begin(out, name, r->n, "ties:mid|x100");
    report_figure(out, "r1", r->at1);
    report_figure(out, "r5", r->at5);
    report_figure(out, "r10", r->at10);
    report_figure(out, "mean_rank", r->mean_rank);
    report_figure(out, "median_rank", r->median_rank);
    report_count(out, "ties", r->ties);
}

void retrieval_report(const struct score_data *d, struct report *r)
{
    const struct matrix *m = &d->matrix;
    struct recall to_images, to_texts;

    retrieval_recall(&to_images, &to_texts, m->scores, m->gold, m->n_texts, m->n_images);
    report_recall(r, "text_to_image", &to_images);
    report_recall(r, "image_to_text", &to_texts);
    if (!r->each) return;
    double *texts = mem_new(double, m->n_texts + 1), *images = mem_new(double, m->n_images + 1);
    retrieval_ranks(texts, images, m->scores, m->gold, m->n_texts, m->n_images);
    for (int64_t i = 0; i < m->n_texts; i++) report_each(r, m->texts.at[i].key, "text_to_image_rank", texts[i]);
    for (int64_t k = 0; k < m->n_images; k++) {
        if (images[k] > 0) report_each(r, m->images.at[k].key, "image_to_text_rank", images[k]);
    }
    free(texts);
    free(images);
}
