#include "score/retrieval.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Candidates above the right one, and as high; of these, those that come later. */
struct rivals {
    int64_t above, equal, later;
};

static double rank_of(struct rivals r, const char *ties)
{
    if (!strcmp(ties, "min")) return 1 + (double)r.above;
    if (!strcmp(ties, "max")) return 1 + (double)(r.above + r.equal);
    if (!strcmp(ties, "id")) return 1 + (double)(r.above + r.later);
    return 1 + (double)r.above + (double)r.equal / 2;
}

static void count_texts(struct rivals *out, const struct matrix *m)
{
    double *room = mem_new(double, m->n_images + 1);

    for (int64_t i = 0; i < m->n_texts; i++) {
        const double *row = matrix_row(m, i, room), right = row[m->gold[i]];
        int32_t above = 0, equal = 0, later = 0; /* a row has less than 2^31 */
        for (int64_t k = 0; k < m->n_images; k++) {
            above += row[k] > right;
            equal += row[k] == right;
        }
        for (int64_t k = m->gold[i] + 1; k < m->n_images && equal > 1; k++) later += row[k] == right;
        out[i] = (struct rivals){ above, equal - 1, later };
    }
    free(room);
}

/* Row by row, as the scores lie in memory. An image's own other texts are no rivals of its best one. above is -1 for
 * images without texts. */
static void count_images(struct rivals *out, const struct matrix *m)
{
    int64_t n = m->n_images;
    double *best = mem_new(double, n + 1), *room = mem_new(double, n + 1);
    int32_t *above = mem_new(int32_t, n + 1), *equal = mem_new(int32_t, n + 1), *own = mem_new(int32_t, n + 1),
            *later = mem_new(int32_t, n + 1);

    for (int64_t i = 0; i < m->n_texts; i++) {
        int64_t gold = m->gold[i];
        double s = m->exact ? m->exact[i * n + gold] : m->scores[i * n + gold];
        if (!own[gold]++ || s > best[gold]) best[gold] = s;
    }
    for (int64_t i = 0; i < m->n_texts; i++) {
        const double *row = matrix_row(m, i, room);
        for (int64_t k = 0; k < n; k++) {
            above[k] += row[k] > best[k];
            equal[k] += row[k] == best[k];
            later[k] += row[k] == best[k];
        }
        if (row[m->gold[i]] != best[m->gold[i]]) continue;
        equal[m->gold[i]]--;
        later[m->gold[i]] = 0;
    }
    for (int64_t k = 0; k < n; k++)
        out[k] = own[k] ? (struct rivals){ above[k], equal[k], later[k] } : (struct rivals){ -1, 0, 0 };
    free(best);
    free(room);
    free(above);
    free(equal);
    free(own);
    free(later);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static struct recall summary(const struct rivals *rivals, int64_t n, const char *ties)
{
    struct recall r = { 0 };
    double *ranks = mem_new(double, n + 1), sum = 0;

    for (int64_t i = 0; i < n; i++) {
        if (rivals[i].above < 0) continue;
        double rank = ranks[r.n++] = rank_of(rivals[i], ties);
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
    const struct matrix m = { n_texts, n_images, (float *)scores, NULL, (int64_t *)gold, { 0 }, { 0 } };

    count_texts(texts, &m);
    count_images(images, &m);
    *text_to_image = summary(texts, n_texts, "mid");
    *image_to_text = summary(images, n_images, "mid");
    free(texts);
    free(images);
}

/* ---- a tally for each direction ---- */

enum { R1, R5, R10, RANK, WIDTH };

static void finish(const struct tally *t, const double *sum, double n, double *out)
{
    for (int k = 0; k < WIDTH; k++) out[k] = sum[k] / n;
    out[WIDTH] = (out[R1] + out[R5] + out[R10]) / 3;
}

/* Queries without a right answer are left out: t->n may be less than n. */
static void fill(struct tally *t, const char *name, const struct rivals *rivals, const struct map *ids, int64_t n,
                 const char *ties)
{
    struct recall all = summary(rivals, n, ties);
    const char **kept = mem_new(const char *, all.n + 1);
    int64_t at = 0;

    tally_begin(t, name, all.n, kept, WIDTH);
    t->more = kept;
    t->finish = finish;
    tally_figure(t, "r1", 100, 2, 4);
    tally_figure(t, "r5", 100, 2, 4);
    tally_figure(t, "r10", 100, 2, 4);
    tally_figure(t, "mean_rank", 1, 2, 4);
    tally_figure(t, "mean_recall", 100, 2, 4);
    for (int64_t i = 0; i < n; i++) {
        if (rivals[i].above < 0) continue;
        double rank = rank_of(rivals[i], ties), *row = t->stats + at * WIDTH;
        kept[at++] = ids->at[i].key;
        row[R1] = rank < 2;
        row[R5] = rank < 6;
        row[R10] = rank < 11;
        row[RANK] = rank;
    }
    tally_note(t, "median_rank", value_real(all.median_rank));
    tally_note(t, "ties", value_int(all.ties));
    str_addf(&t->signature, "ties:%s", ties);
}

/* The means of both directions, which UNIMO chooses models by. */
static void note_both(struct tally *to_images, const struct tally *to_texts, double scale)
{
    static const char *const names[] = { "r1", "r5", "r10" };
    struct value *v = value_object();
    double x[TALLY_FIGURES], y[TALLY_FIGURES];

    tally_finish(to_images, x);
    tally_finish(to_texts, y);
    for (int k = 0; k < 3; k++) value_set(v, names[k], value_real(scale * (x[k] + y[k]) / 2));
    tally_note(to_images, "both_ways", v);
}

int retrieval_count(const struct score_data *d, struct tally out[2], struct err *e)
{
    const struct matrix *m = &d->matrix;
    const char *ties = d->o->ties ? d->o->ties : "mid";
    struct rivals *texts = mem_new(struct rivals, m->n_texts + 1), *images = mem_new(struct rivals, m->n_images + 1);

    count_texts(texts, m);
    count_images(images, m);
    fill(&out[0], "text_to_image", texts, &m->texts, m->n_texts, ties);
    fill(&out[1], "image_to_text", images, &m->images, m->n_images, ties);
    note_both(&out[0], &out[1], d->o->ref_scale ? 1 : 100);
    free(texts);
    free(images);
    return 2;
}
