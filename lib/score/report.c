#include "score/report.h"
#include "core/mem.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double scale_of(const struct figure *f, bool ref_scale)
{
    return ref_scale ? 1 : f->percent;
}

static double shown(const struct tally *t, int k, double x, bool ref_scale)
{
    return isnan(x) && t->undefined != 0 ? t->undefined : scale_of(&t->figures[k], ref_scale) * x;
}

static void set_figures(struct value *v, const struct tally *t, const double *x, bool ref_scale)
{
    for (int k = 0; k < t->n_figures; k++) value_set(v, t->figures[k].name, value_real(shown(t, k, x[k], ref_scale)));
}

static struct value *printed(const struct tally *t, const double *x, bool ref_scale)
{
    struct value *v = value_object();
    char text[64];

    for (int k = 0; k < t->n_figures; k++) {
        const struct figure *f = &t->figures[k];
        snprintf(text, sizeof text, "%.*f", ref_scale ? f->ref_decimals : f->decimals, shown(t, k, x[k], ref_scale));
        value_set(v, f->name, value_str(text));
    }
    return v;
}

/* A reference program's own interval, where it prints one; else sacreBLEU's. */
static struct value *intervals(const struct tally *t, const struct report_opts *o)
{
    struct value *all = value_object();
    struct interval in[TALLY_FIGURES];

    if (t->own) {
        for (int k = 0; k < t->n_figures; k++)
            in[k] = (struct interval){ t->own[3 * k], t->own[3 * k + 1], t->own[3 * k + 2] };
    } else if (o->ci.is_legacy) {
        resample_legacy(t, o->ci, in);
    } else {
        resample_interval(t, o->ci, in);
    }
    for (int k = 0; k < t->n_figures; k++) {
        struct value *v = value_object();
        double scale = scale_of(&t->figures[k], o->ref_scale);
        value_set(v, "mean", value_real(scale * in[k].mean));
        value_set(v, "low", value_real(scale * in[k].low));
        value_set(v, "high", value_real(scale * in[k].high));
        value_set(v, "half_width", value_real(scale * (in[k].high - in[k].low) / 2));
        value_set(all, t->figures[k].name, v);
    }
    return all;
}

static struct value *comparison(const struct tally *a, const struct tally *b, const struct report_opts *o)
{
    struct value *v = value_object(), *chance = value_object();
    double p[TALLY_FIGURES], x[TALLY_FIGURES];

    tally_finish(b, x);
    set_figures(v, b, x, o->ref_scale);
    value_set(v, "printed", printed(b, x, o->ref_scale));
    if (o->ci.n) value_set(v, "ci", intervals(b, o));
    (o->swaps && a->stats ? resample_swapped : resample_paired)(a, b, o->test, p);
    for (int k = 0; k < a->n_figures; k++) value_set(chance, a->figures[k].name, value_real(p[k]));
    value_set(v, "p", chance);
    return v;
}

/* The tally's rows by a note's words; rows: [n] room. Returns where each word's begin, [words + 1]. */
static int64_t *rows_by_word(const struct tally *t, const int32_t *of, int64_t words, int64_t *rows)
{
    int64_t *start = mem_new(int64_t, words + 2);

    for (int64_t i = 0; i < t->n; i++) {
        int32_t word = of[t->items ? t->items[i] : i];
        if (word >= 0) start[word + 2]++;
    }
    for (int64_t w = 2; w <= words; w++) start[w] += start[w - 1];
    for (int64_t i = 0; i < t->n; i++) {
        int32_t word = of[t->items ? t->items[i] : i];
        if (word >= 0) rows[start[word + 1]++] = i;
    }
    return start;
}

/* Figures of some rows, as if they were all. */
static void figures_of(const struct tally *t, const int64_t *rows, int64_t n, double *sum, double *out)
{
    if (t->own) {
        t->own_of(t, rows, n, out);
        return;
    }
    if (!t->stats) {
        t->weigh_part(t, rows, n, out);
        return;
    }
    for (int k = 0; k < t->width; k++) sum[k] = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < t->width; k++) sum[k] += t->stats[rows[i] * t->width + k];
    }
    t->finish(t, sum, (double)n, out);
}

/* Figures of the items with each of a note's words. */
static struct value *breakdown(const struct tally *t, const struct report_opts *o, int by)
{
    struct value *all = value_object();
    int64_t *rows = mem_new(int64_t, t->n + 1), *start = rows_by_word(t, o->of[by], o->words[by]->n, rows);
    double *sum = mem_new(double, t->width + 1), x[TALLY_FIGURES];

    for (int64_t w = 0; w < o->words[by]->n; w++) {
        struct value *v = value_object();
        int64_t n = start[w + 1] - start[w];
        figures_of(t, rows + start[w], n, sum, x);
        value_set(v, "n", value_int(n));
        set_figures(v, t, x, o->ref_scale);
        value_set(all, o->words[by]->at[w].key, v);
    }
    free(rows);
    free(start);
    free(sum);
    return all;
}

static void set_signature(struct value *v, const struct tally *t, const struct tally *b, const struct report_opts *o)
{
    const char *text = str_c(&t->signature);
    size_t at = strcspn(text, (const char[]){ TALLY_RESAMPLED, 0 });
    struct str s = { 0 };

    str_add_bytes(&s, text, at);
    if (o->ci.n && !t->own && !b)
        str_addf(&s, "|bs:%lld|seed:%llu%s", (long long)o->ci.n, (unsigned long long)o->ci.seed,
                 o->ci.is_legacy ? "|mt19937" : "");
    if (b)
        str_addf(&s, "|%s:%lld|seed:%llu", o->swaps && t->stats ? "ar" : "bs", (long long)o->test.n,
                 (unsigned long long)o->test.seed);
    if (text[at]) str_add(&s, text + at + 1);
    value_set(v, "signature", value_str(str_c(&s)));
    str_release(&s);
}

struct value *report_tally(const struct tally *a, const struct tally *b, const struct report_opts *o)
{
    struct value *v = value_object();
    double x[TALLY_FIGURES];

    value_set(v, "metric", value_str(a->name));
    value_set(v, "n", value_int(a->n));
    tally_finish(a, x);
    set_figures(v, a, x, o->ref_scale);
    value_set(v, "printed", printed(a, x, o->ref_scale));
    value_set(v, "scale", value_str(o->ref_scale ? "reference" : "percent"));
    set_signature(v, a, b, o);
    if (o->ci.n) value_set(v, "ci", intervals(a, o));
    if (b) value_set(v, "compare", comparison(a, b, o));
    if (o->n_by && (a->stats || a->weigh_part)) {
        struct value *by = value_object();
        for (int k = 0; k < o->n_by; k++) value_set(by, o->names[k], breakdown(a, o, k));
        value_set(v, "by", by);
    }
    for (struct value_iter it = { 0 }; value_next(a->notes, &it);) value_set(v, it.key, value_copy(it.value));
    return v;
}

struct value *report_item(const struct tally *t, int64_t i, bool ref_scale)
{
    struct value *v = value_object();
    double x[TALLY_FIGURES];

    value_set(v, "id", value_str(t->ids[i]));
    value_set(v, "metric", value_str(t->name));
    tally_each(t, i, x);
    for (int k = 0; k < t->n_figures; k++) {
        if (!isnan(x[k])) value_set(v, t->figures[k].name, value_real(scale_of(&t->figures[k], ref_scale) * x[k]));
    }
    return v;
}

struct value *report_explain(const struct tally *t, int64_t i, bool ref_scale)
{
    struct value *v = report_item(t, i, ref_scale);

    if (t->explain) t->explain(t, i, v);
    return v;
}
