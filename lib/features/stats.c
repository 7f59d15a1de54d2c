#include "features/stats.h"
#include "core/mem.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS_MAX = sizeof((struct feature_stats *)0)->at / sizeof(struct tensor_stats) };

static void widen(int64_t range[2], int64_t v, bool is_first)
{
    if (is_first || v < range[0]) range[0] = v;
    if (is_first || v > range[1]) range[1] = v;
}

static struct tensor_stats *find(struct feature_stats *s, const char *name)
{
    for (int i = 0; i < s->n; i++) {
        if (!strcmp(s->at[i].name, name)) return &s->at[i];
    }
    if (s->n == TENSORS_MAX || strlen(name) >= sizeof s->at->name) return NULL;
    memcpy(s->at[s->n].name, name, strlen(name) + 1);
    return &s->at[s->n++];
}

static void add_value(struct tensor_stats *t, double v)
{
    t->n++;
    t->zeros += v == 0;
    t->nans += isnan(v);
    t->infinite += isinf(v);
    if (!isfinite(v)) return;
    bool is_first = t->n - t->nans - t->infinite == 1;
    if (is_first || v < t->range[0]) t->range[0] = v;
    if (is_first || v > t->range[1]) t->range[1] = v;
    t->sum += v;
}

static void add_tensor(struct feature_stats *s, const struct record_tensor *x)
{
    struct tensor_stats *t = find(s, x->name);
    int64_t n = dtype_size(x->dtype) ? x->bytes / dtype_size(x->dtype) : 0;

    if (!t) return;
    bool is_first = t->dtype == DT_NONE;
    t->is_mixed = t->is_mixed || (!is_first && t->dtype != x->dtype);
    t->dtype = x->dtype;
    widen(t->width, x->rank > 1 ? x->shape[x->rank - 1] : 1, is_first);
    if (x->dtype == DT_I64 || x->dtype == DT_I32) {
        for (int64_t i = 0; i < n; i++)
            add_value(t, (double)(x->dtype == DT_I64 ? ((const int64_t *)x->data)[i] : ((const int32_t *)x->data)[i]));
        return;
    }
    if (!dtype_is_float(x->dtype)) return;
    float *values = mem_try((size_t)n + 1, sizeof *values);
    if (!values) return;
    dtype_to_f32(values, x->data, x->dtype, n);
    for (int64_t i = 0; i < n; i++) add_value(t, (double)values[i]);
    free(values);
}

void stats_add(struct feature_stats *s, const struct record *r)
{
    const struct record_tensor *boxes = record_tensor(r, "boxes");
    bool has_boxes = boxes && boxes->rank == 2 && boxes->shape[1] == 4 && boxes->dtype == DT_F32;
    int64_t n = has_boxes ? boxes->shape[0] : 0;
    double width = value_number(value_get(r->fields, "width")), height = value_number(value_get(r->fields, "height"));

    widen(s->per_picture, n, !s->pictures);
    widen(s->size[0], (int64_t)width, !s->pictures);
    widen(s->size[1], (int64_t)height, !s->pictures);
    s->pictures++;
    s->regions += n;
    for (int64_t i = 0; i < n; i++) {
        const float *b = (const float *)boxes->data + 4 * i;
        s->outside += !(b[0] >= 0 && b[1] >= 0 && (double)b[2] <= width && (double)b[3] <= height);
        s->inverted += !(b[2] >= b[0] && b[3] >= b[1]);
    }
    for (int i = 0; i < r->n_tensors; i++) add_tensor(s, &r->tensors[i]);
}

static void merge_tensor(struct tensor_stats *t, const struct tensor_stats *m)
{
    bool is_first = t->dtype == DT_NONE, has_values = m->n > m->nans + m->infinite,
         had_values = t->n > t->nans + t->infinite;

    t->is_mixed = t->is_mixed || m->is_mixed || (!is_first && t->dtype != m->dtype);
    t->dtype = m->dtype;
    widen(t->width, m->width[0], is_first);
    widen(t->width, m->width[1], false);
    t->n += m->n;
    t->zeros += m->zeros;
    t->nans += m->nans;
    t->infinite += m->infinite;
    t->sum += m->sum;
    if (has_values && (!had_values || m->range[0] < t->range[0])) t->range[0] = m->range[0];
    if (has_values && (!had_values || m->range[1] > t->range[1])) t->range[1] = m->range[1];
}

void stats_merge(struct feature_stats *s, const struct feature_stats *more)
{
    if (more->pictures) {
        for (int i = 0; i < 2; i++) {
            widen(s->per_picture, more->per_picture[i], !s->pictures && !i);
            for (int k = 0; k < 2; k++) widen(s->size[k], more->size[k][i], !s->pictures && !i);
        }
    }
    s->pictures += more->pictures;
    s->bad += more->bad;
    s->regions += more->regions;
    s->outside += more->outside;
    s->inverted += more->inverted;
    for (int i = 0; i < more->n; i++) {
        struct tensor_stats *t = find(s, more->at[i].name);
        if (t) merge_tensor(t, &more->at[i]);
    }
}

static void print_range(struct str *out, const int64_t range[2])
{
    str_addf(out, "%" PRId64, range[0]);
    if (range[1] != range[0]) str_addf(out, " to %" PRId64, range[1]);
}

void stats_print(const struct feature_stats *s, struct str *out)
{
    str_addf(out, "pictures %" PRId64 ", bad %" PRId64 "\nwidth ", s->pictures, s->bad);
    print_range(out, s->size[0]);
    str_add(out, ", height ");
    print_range(out, s->size[1]);
    str_add(out, "\nregions ");
    print_range(out, s->per_picture);
    str_addf(out, " (mean %.2f); boxes beyond the picture %" PRId64 ", inside out %" PRId64 "\n",
             s->pictures ? (double)s->regions / (double)s->pictures : 0, s->outside, s->inverted);
    str_addf(out, "%-16s %-5s %-10s %12s %12s %12s %12s %6s %6s %6s\n", "tensor", "type", "width", "values", "mean",
             "least", "largest", "zero%", "NaN", "inf");
    for (int i = 0; i < s->n; i++) {
        const struct tensor_stats *t = &s->at[i];
        int64_t finite = t->n - t->nans - t->infinite;
        char width[48];
        snprintf(width, sizeof width, t->width[0] == t->width[1] ? "%" PRId64 : "%" PRId64 "-%" PRId64, t->width[0],
                 t->width[1]);
        str_addf(out, "%-16s %-5s %-10s %12" PRId64 " %12.6g %12.6g %12.6g %6.1f %6" PRId64 " %6" PRId64 "\n", t->name,
                 t->is_mixed ? "mixed" : dtype_name(t->dtype), width, t->n, finite ? t->sum / (double)finite : 0,
                 t->range[0], t->range[1], t->n ? 100.0 * (double)t->zeros / (double)t->n : 0, t->nans, t->infinite);
    }
}
