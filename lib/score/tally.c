#include "score/tally.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void tally_begin(struct tally *t, const char *name, int64_t n, const char *const *ids, int width)
{
    *t = (struct tally){ .name = name, .n = n, .ids = ids, .width = width };
    if (width) t->stats = mem_new(double, n *width + 1);
}

void tally_figure(struct tally *t, const char *name, double percent, int decimals, int ref_decimals)
{
    t->figures[t->n_figures++] = (struct figure){ name, percent, decimals, ref_decimals };
}

void tally_note(struct tally *t, const char *name, struct value *v)
{
    if (!t->notes) t->notes = value_object();
    value_set(t->notes, name, v);
}

void tally_finish(const struct tally *t, double *out)
{
    if (t->own) {
        for (int k = 0; k < t->n_figures; k++) out[k] = t->own[3 * k];
        return;
    }
    if (!t->stats) {
        t->weigh(t, NULL, out);
        return;
    }
    double *sum = mem_new(double, t->width);
    for (int64_t i = 0; i < t->n; i++) {
        for (int k = 0; k < t->width; k++) sum[k] += t->stats[i * t->width + k];
    }
    t->finish(t, sum, (double)t->n, out);
    free(sum);
}

void tally_each(const struct tally *t, int64_t i, double *out)
{
    for (int k = 0; k < t->n_figures; k++) out[k] = NAN;
    if (t->each) t->each(t, i, out);
    else if (t->stats) t->finish(t, t->stats + i * t->width, 1, out);
}

void tally_means(const struct tally *t, const double *sum, double n, double *out)
{
    for (int k = 0; k < t->n_figures; k++) out[k] = sum[k] / n;
}

void tally_percents(const struct tally *t, const double *sum, double n, double *out)
{
    for (int k = 0; k < t->n_figures; k++) out[k] = 100 * sum[k] / n;
}

void tally_release(struct tally *t)
{
    if (t->release) t->release(t->more);
    else free(t->more);
    free(t->stats);
    free(t->own);
    str_release(&t->signature);
    value_free(t->notes);
    memset(t, 0, sizeof *t);
}
