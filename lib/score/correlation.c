#include "score/correlation.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

struct numbers {
    double *x, *y;           /* [n] predictions and references */
    int32_t *by_x, *by_y;    /* items by rising value */
    double *rank_x, *rank_y; /* room for ranks */
};

static void numbers_free(void *own)
{
    struct numbers *v = own;

    free(v->x);
    free(v->y);
    free(v->by_x);
    free(v->by_y);
    free(v->rank_x);
    free(v->rank_y);
    free(v);
}

struct keyed {
    double key;
    int32_t item;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *p = a, *q = b;

    if (p->key != q->key) return p->key < q->key ? -1 : 1;
    return (p->item > q->item) - (p->item < q->item);
}

static void sort_items(int32_t *out, const double *x, int64_t n)
{
    struct keyed *k = mem_new(struct keyed, n + 1);

    for (int64_t i = 0; i < n; i++) k[i] = (struct keyed){ x[i], (int32_t)i };
    qsort(k, (size_t)n, sizeof *k, by_key);
    for (int64_t i = 0; i < n; i++) out[i] = k[i].item;
    free(k);
}

/* Ranks from 1; equal values share the mean of the ranks that they span. */
static void rank(double *out, const int32_t *order, const double *x, const int32_t *times, int64_t n)
{
    double before = 0;

    for (int64_t from = 0, to; from < n; from = to) {
        double among = 0;
        for (to = from; to < n && x[order[to]] == x[order[from]]; to++) among += times ? times[order[to]] : 1;
        for (int64_t i = from; i < to; i++) out[order[i]] = before + (among + 1) / 2;
        before += among;
    }
}

/* Whether all values that were drawn are the same. Their sum may be rounded and the mean another value, so that the
 * deviations do not tell. */
static bool is_constant(const double *x, const int32_t *times, int64_t n)
{
    int64_t first = 0;

    while (times && first < n && !times[first]) first++;
    for (int64_t i = first + 1; i < n; i++) {
        if ((!times || times[i]) && x[i] != x[first]) return false;
    }
    return true;
}

static double mean_of(const double *x, const int32_t *times, int64_t n)
{
    double sum = 0, all = 0;

    for (int64_t i = 0; i < n; i++) {
        double w = times ? times[i] : 1;
        all += w;
        sum += w * x[i];
    }
    return sum / all;
}

/* The power of two above the largest deviation from the mean. */
static int exponent_of(const double *x, double mean, const int32_t *times, int64_t n)
{
    double most = 0;
    int exponent;

    for (int64_t i = 0; i < n; i++) {
        if (!times || times[i]) most = fmax(most, fabs(x[i] - mean));
    }
    frexp(most, &exponent);
    return exponent;
}

/* The three sums of squares and products about the means, 0 of values that are all the same. Deviations are in units
 * of a power of two, which changes no digit: the square of 1e200 or of 1e-200 is no double. */
struct moments {
    double xx, yy, xy;
};
static struct moments moments_of(const double *x, const double *y, const int32_t *times, int64_t n)
{
    struct moments m = { 0 };

    if (is_constant(x, times, n) || is_constant(y, times, n)) return m;
    double mean_x = mean_of(x, times, n), mean_y = mean_of(y, times, n);
    int unit_x = exponent_of(x, mean_x, times, n), unit_y = exponent_of(y, mean_y, times, n);
    for (int64_t i = 0; i < n; i++) {
        double w = times ? times[i] : 1;
        if (times && !times[i]) continue;
        double dx = ldexp(x[i] - mean_x, -unit_x), dy = ldexp(y[i] - mean_y, -unit_y);
        m.xx += w * dx * dx;
        m.yy += w * dy * dy;
        m.xy += w * dx * dy;
    }
    return m;
}

static double pearson_of(const double *x, const double *y, const int32_t *times, int64_t n)
{
    struct moments m = moments_of(x, y, times, n);

    if (!(m.xx > 0 && m.yy > 0)) return NAN;
    if (n == 2) return m.xy > 0 ? 1 : -1;
    return fmax(-1, fmin(1, m.xy / (sqrt(m.xx) * sqrt(m.yy))));
}

static void pearson(const struct tally *t, const int32_t *times, double *out)
{
    const struct numbers *v = t->more;

    out[0] = pearson_of(v->x, v->y, times, t->n);
}

static void spearman(const struct tally *t, const int32_t *times, double *out)
{
    const struct numbers *v = t->more;

    rank(v->rank_x, v->by_x, v->x, times, t->n);
    rank(v->rank_y, v->by_y, v->y, times, t->n);
    struct moments m = moments_of(v->rank_x, v->rank_y, times, t->n);
    bool is_defined = m.xx > 0 && m.yy > 0;
    double free_n = (double)t->n - 1; /* NumPy's corrcoef divides by one deviation after the other, and clips */
    double r = m.xy / free_n / sqrt(m.xx / free_n) / sqrt(m.yy / free_n);
    out[0] = is_defined ? fmax(-1, fmin(1, r)) : NAN;
    out[1] = (out[0] + pearson_of(v->x, v->y, times, t->n)) / 2;
}

/* Room for n numbers; also for what ranks need, where there are ranks. */
static struct numbers *numbers_new(int64_t n, bool ranks)
{
    struct numbers *v = mem_new(struct numbers, 1);

    v->x = mem_new(double, n + 1);
    v->y = mem_new(double, n + 1);
    if (!ranks) return v;
    v->by_x = mem_new(int32_t, n + 1);
    v->by_y = mem_new(int32_t, n + 1);
    v->rank_x = mem_new(double, n + 1);
    v->rank_y = mem_new(double, n + 1);
    return v;
}

static void sort_numbers(struct numbers *v, int64_t n)
{
    sort_items(v->by_x, v->x, n);
    sort_items(v->by_y, v->y, n);
}

static void weigh_part(const struct tally *t, const int64_t *rows, int64_t n, double *out)
{
    const struct numbers *all = t->more;
    struct numbers *v = numbers_new(n, all->by_x != NULL);
    struct tally part = { .n = n, .more = v };

    for (int64_t i = 0; i < n; i++) {
        v->x[i] = all->x[rows[i]];
        v->y[i] = all->y[rows[i]];
    }
    if (v->by_x) sort_numbers(v, n);
    t->weigh(&part, NULL, out);
    numbers_free(v);
}

static int read_numbers(const struct join *j, struct numbers *v, struct err *e)
{
    for (int64_t i = 0; i < j->n; i++) {
        const struct score_item *item = &j->items[i];
        if (!str_to_double(item->refs[0], -DBL_MAX, DBL_MAX, &v->y[i]))
            return err_set(e, ERR_INPUT, "id %s: the reference %s is no number", err_quote(j->id[i]),
                           err_quote(item->refs[0]));
        if (!item->is_missing && !str_to_double(item->pred, -DBL_MAX, DBL_MAX, &v->x[i]))
            return err_set(e, ERR_INPUT, "id %s: the prediction %s is no number", err_quote(j->id[i]),
                           err_quote(item->pred));
    }
    return 0;
}

static int begin(const struct score_data *d, const char *name, bool ranks, struct tally *out, struct err *e)
{
    const struct join *j = &d->texts;
    struct numbers *v = numbers_new(j->n, ranks);

    tally_begin(out, name, j->n, j->id, 0);
    tally_figure(out, "score", 100, 2, 4);
    out->more = v;
    out->release = numbers_free;
    out->weigh_part = weigh_part;
    return read_numbers(j, v, e);
}

int pearson_count(const struct score_data *d, struct tally *out, struct err *e)
{
    if (begin(d, "pearson", false, out, e)) return -1;
    out->weigh = pearson;
    str_add(&out->signature, "scipy|constant:nan");
    return 1;
}

int spearman_count(const struct score_data *d, struct tally *out, struct err *e)
{
    if (begin(d, "spearman", true, out, e)) return -1;
    tally_figure(out, "p_and_sp", 100, 2, 4);
    sort_numbers(out->more, out->n);
    out->weigh = spearman;
    str_add(&out->signature, "scipy|ties:mean-rank|constant:nan");
    return 1;
}
