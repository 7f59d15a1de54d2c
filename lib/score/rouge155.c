#include "score/rouge155.h"
#include "core/file.h"
#include "core/pool.h"
#include "score/porter.h"
#include "score/rouge_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

struct stems {
    bool are_used;
    struct map bases; /* of WordNet's exceptions: the index of a base form in `forms` */
    struct map forms;
};
struct words { /* a thread's */
    const struct stems *stems;
    struct str word;
};

static void open_words(void *room, const void *arg)
{
    ((struct words *)room)->stems = arg;
}

static void close_words(void *room)
{
    str_release(&((struct words *)room)->word);
}

static void add_word(struct words *w, struct str *out)
{
    if (!w->word.n) return;
    if (w->stems->are_used && w->word.n > 3) {
        const int64_t *base = map_find(&w->stems->bases, w->word.data, w->word.n);
        if (base) str_add(out, w->stems->forms.at[*base].key);
        else str_add_bytes(out, w->word.data, porter_perl(w->word.data, w->word.n));
    } else {
        str_add_bytes(out, w->word.data, w->word.n);
    }
    str_add_char(out, ' ');
    str_clear(&w->word);
}

/* A line is a sentence up to its first '<', if anything is before that. Bytes other than letters and digits of ASCII
 * are blanks. */
static void normalise(void *room, const char *const *texts, struct str *out)
{
    struct words *w = room;

    for (const char *text = *texts; *text;) {
        size_t line = strcspn(text, "\n"), n = strcspn(text, "<\n");
        for (size_t i = 0; i < n; i++) {
            char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 32) : text[i];
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) str_add_char(&w->word, c);
            else add_word(w, out);
        }
        add_word(w, out);
        if (n) str_add_char(out, '\n');
        text += line + (text[line] == '\n');
    }
}

static const struct texts_maker maker = { sizeof(struct words), open_words, normalise, close_words };

/* WordNet's lists of irregular forms: FORM BASE... a line; of a form in two lists, the later one counts. */
static int load_exceptions(struct stems *w, const char *dir, struct err *e)
{
    static const char *const names[] = { "adj.exc", "adv.exc", "noun.exc", "verb.exc" };
    int rc = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names && !rc; i++) {
        char *path = path_join(dir, names[i]), *text = file_load(path, 1 << 24, &(size_t){ 0 }, e);
        rc = text ? 0 : -1;
        for (char *p = text; p && *p;) {
            size_t form = strcspn(p, " \n"), line = strcspn(p, "\n");
            char *base = p + form + strspn(p + form, " ");
            size_t n = strcspn(base, " \n");
            bool is_new;
            if (n && base < p + line) {
                int64_t *at = map_put(&w->forms, base, n, &is_new);
                if (is_new) *at = w->forms.n - 1;
                int64_t index = *at;
                *map_put(&w->bases, p, form, NULL) = index;
            }
            p += line + (p[line] == '\n');
        }
        free(text);
        free(path);
    }
    return rc;
}

/* ---- figures of an item ---- */

enum { KINDS = 3, R = 0, P = 1, F = 2, WIDTH = 3 * KINDS };

static double rounded(double x)
{
    char text[32];

    snprintf(text, sizeof text, "%.5f", x);
    str_to_double(text, 0, 1e9, &x);
    return x;
}

/* Hits and counts are summed over the references; the prediction counts once for each. */
static void score_item(const struct rouge_texts *t, struct rouge_room *room, int64_t item, double *row)
{
    int64_t hits[KINDS] = { 0 }, refs[KINDS] = { 0 }, preds[KINDS] = { 0 };
    struct rouge_text pred = rouge_pred(t, item);

    for (int64_t r = t->words.ref_start[item]; r < t->words.ref_start[item + 1]; r++) {
        struct rouge_text ref = rouge_ref(t, r);
        for (int k = 0; k < 2; k++) {
            hits[k] += rouge_shared(pred.words, ref.words, k + 1);
            refs[k] += ref.words->n_words > k ? ref.words->n_words - k : 0;
            preds[k] += pred.words->n_words > k ? pred.words->n_words - k : 0;
        }
        hits[2] += rouge_union_lcs(room, &ref, &pred);
        refs[2] += ref.words->n_words;
        preds[2] += pred.words->n_words;
    }
    for (int k = 0; k < KINDS; k++) {
        double r = row[3 * k + R] = refs[k] ? rounded((double)hits[k] / (double)refs[k]) : 0,
               p = row[3 * k + P] = preds[k] ? rounded((double)hits[k] / (double)preds[k]) : 0;
        double below = 0.5 * p + 0.5 * r;
        row[3 * k + F] = below > 0 ? rounded(p * r / below) : 0;
    }
}

/* ---- averages ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

enum { RESAMPLES = 1000 };

/* The mean of the resamples' means, added in ascending order, and the bounds that 2.5 % are beyond. */
static void average(double *means, double *own)
{
    double sum = 0;
    int cut = RESAMPLES * 25 / 1000;

    qsort(means, RESAMPLES, sizeof *means, ascending);
    for (int i = 0; i < RESAMPLES; i++) sum += means[i];
    own[0] = rounded(sum / RESAMPLES); /* what is printed; the pipelines multiply that by 100 */
    own[1] = rounded(means[cut]);
    own[2] = rounded(means[RESAMPLES - cut - 1]);
}

struct drawing {
    const double *stats; /* [n][WIDTH] in the order of the script's items */
    int64_t n;
    double *means; /* [RESAMPLES][WIDTH] */
};

/* Perl's random numbers (since 5.20 on all systems: drand48), seeded with the number of the resample. */
static int draw(int64_t resample, int worker, void *arg, struct err *e)
{
    const struct drawing *d = arg;
    const uint64_t mask = (1ull << 48) - 1;
    uint64_t x = (uint64_t)resample << 16 | 0x330E;
    double sum[WIDTH] = { 0 };

    for (int64_t i = 0; i < d->n; i++) {
        x = (x * 0x5DEECE66Dull + 0xB) & mask;
        const double *row = d->stats + (int64_t)((double)d->n * ((double)x / (double)(1ull << 48))) * WIDTH;
        for (int k = 0; k < WIDTH; k++) sum[k] += row[k];
    }
    for (int k = 0; k < WIDTH; k++) d->means[resample * WIDTH + k] = sum[k] / (double)d->n;
    return 0;
}

/* Resamples the tally's rows, in their order for the script; own is [WIDTH][3]. */
static void bootstrap(const struct tally *t, const int64_t *rows, int64_t n, double *own)
{
    const struct score_data *data = t->data;
    int threads = n < 1000 ? 1 : data->o->threads ? data->o->threads : pool_cpus();
    double *means = mem_new(double, RESAMPLES *WIDTH), *one = mem_new(double, RESAMPLES),
           *ordered = mem_new(double, n *WIDTH + 1);
    struct drawing d = { ordered, n, means };
    struct err e = { 0 };

    for (int64_t i = 0; i < n; i++) memcpy(ordered + i * WIDTH, t->stats + rows[i] * WIDTH, WIDTH * sizeof *ordered);
    pool_for(RESAMPLES, 16, threads, draw, &d, &e); /* nothing in it can fail */
    for (int k = 0; k < WIDTH; k++) {
        for (int s = 0; s < RESAMPLES; s++) one[s] = means[s * WIDTH + k];
        average(one, own + 3 * k);
    }
    free(means);
    free(one);
    free(ordered);
}

/* Statistics in the order R, P, F; figures F first, as they are reported. */
static const int place[WIDTH] = { 2, 5, 8, 0, 1, 3, 4, 6, 7 };

static void finish(const struct tally *t, const double *sum, double n, double *out)
{
    for (int k = 0; k < t->n_figures; k++) out[k] = sum[place[k]] / n;
}

struct order {
    int64_t item;
    char name[24];
};
static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct order *)a)->name, ((const struct order *)b)->name);
}

static bool is_empty(const struct score_item *item)
{
    for (int r = 0; r < item->n_refs; r++) {
        if (*item->refs[r]) return false;
    }
    return true;
}

struct kept { /* items in the script's order */
    const char **ids;
    struct score_item *items;
    int64_t *at; /* which of the texts' items each is */
};
static void kept_free(void *own)
{
    struct kept *k = own;

    free(k->ids);
    free(k->items);
    free(k->at);
    free(k);
}

static void sort_by_name(struct order *order, int64_t n)
{
    qsort(order, (size_t)n, sizeof *order, by_name);
}

/* pyrouge names its files by the items' numbers and numbers them from 1 in the order of their names; the script takes
 * them in the order of these numbers as words. out [n]: indices in number, which rises. */
static void script_order(const int64_t *number, int64_t n, int64_t *out)
{
    struct order *order = mem_new(struct order, n + 1);

    for (int64_t i = 0; i < n; i++) {
        order[i].item = i;
        snprintf(order[i].name, sizeof order->name, "%lld.", (long long)number[i]);
    }
    sort_by_name(order, n);
    for (int64_t i = 0; i < n; i++) snprintf(order[i].name, sizeof order->name, "%lld", (long long)i + 1);
    sort_by_name(order, n);
    for (int64_t i = 0; i < n; i++) out[i] = order[i].item;
    free(order);
}

/* The summarisation pipelines leave out items whose reference is empty. */
static struct kept *keep_items(const struct score_data *d, int64_t *n)
{
    const struct join *j = &d->texts;
    int64_t *number = mem_new(int64_t, j->n + 1), *order = mem_new(int64_t, j->n + 1);
    struct kept *kept = mem_new(struct kept, 1);

    *n = 0;
    for (int64_t i = 0; i < j->n; i++) {
        if (!d->o->prepare || !is_empty(&j->items[i])) number[(*n)++] = i;
    }
    script_order(number, *n, order);
    kept->ids = mem_new(const char *, *n + 1);
    kept->items = mem_new(struct score_item, *n + 1);
    kept->at = mem_new(int64_t, *n + 1);
    for (int64_t i = 0; i < *n; i++) {
        int64_t item = kept->at[i] = number[order[i]];
        kept->ids[i] = j->id[item];
        kept->items[i] = j->items[item];
    }
    free(number);
    free(order);
    return kept;
}

static int by_item(const void *a, const void *b, void *items)
{
    const int64_t *at = items, p = at[*(const int64_t *)a], q = at[*(const int64_t *)b];

    return (p > q) - (p < q);
}

/* As if the chosen items were all. */
static void own_of(const struct tally *t, const int64_t *chosen, int64_t n, double *out)
{
    const struct kept *kept = t->more;
    int64_t *number = mem_new(int64_t, n + 1), *order = mem_new(int64_t, n + 1), *rows = mem_new(int64_t, n + 1);
    double own[3 * WIDTH];

    for (int64_t i = 0; i < n; i++) {
        number[i] = i;
        rows[i] = chosen[i];
    }
    qsort_r(rows, (size_t)n, sizeof *rows, by_item, kept->at);
    script_order(number, n, order);
    for (int64_t i = 0; i < n; i++) order[i] = rows[order[i]];
    if (n) bootstrap(t, order, n, own);
    for (int k = 0; k < WIDTH; k++) out[k] = n ? own[3 * place[k]] : NAN;
    free(number);
    free(order);
    free(rows);
}

/* The whole's values and intervals, in the order of the figures. */
static void set_own(struct tally *t)
{
    int64_t *all = mem_new(int64_t, t->n);
    double own[3 * WIDTH];

    for (int64_t i = 0; i < t->n; i++) all[i] = i;
    bootstrap(t, all, t->n, own);
    t->own = mem_new(double, 3 * WIDTH);
    for (int k = 0; k < WIDTH; k++) memcpy(t->own + 3 * k, own + 3 * place[k], 3 * sizeof *own);
    free(all);
}

static int stems_open(struct stems *s, const struct score_opts *o, struct err *e)
{
    *s = (struct stems){ .are_used = !o->no_stem };
    return o->exceptions ? load_exceptions(s, o->exceptions, e) : 0;
}

static void stems_release(struct stems *s)
{
    map_release(&s->bases);
    map_release(&s->forms);
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct score_data *d = t->data;
    struct stems stems;
    struct err e = { 0 };

    stems_open(&stems, d->o, &e); /* went well before */
    rouge_explain(&((const struct kept *)t->more)->items[i], &maker, &stems, out);
    stems_release(&stems);
}

int rouge155_count(const struct score_data *d, struct tally *out, struct err *e)
{
    static const char *const names[WIDTH] = { "rouge1",           "rouge2",           "rougeL",
                                              "rouge1_recall",    "rouge1_precision", "rouge2_recall",
                                              "rouge2_precision", "rougeL_recall",    "rougeL_precision" };
    struct stems stems;
    struct rouge_texts texts;
    struct rouge_room room = { 0 };
    int64_t n;
    int rc = stems_open(&stems, d->o, e);
    struct kept *kept = keep_items(d, &n);

    tally_begin(out, "rouge", n, kept->ids, WIDTH);
    for (int k = 0; k < WIDTH; k++) tally_figure(out, names[k], 100, 2, 5);
    str_addf(&out->signature, "rouge-1.5.5|c:95|%s|exc:%s|boot:%d|order:str", stems.are_used ? "m" : "no-m",
             d->o->exceptions ? "dir" : "none", RESAMPLES);
    if (d->o->prepare) str_addf(&out->signature, "|prepare:%s", d->o->prepare);
    out->finish = finish;
    out->explain = explain;
    out->data = d;
    out->more = kept;
    out->release = kept_free;
    out->items = kept->at;
    out->own_of = own_of;
    if (!rc && !n) rc = err_set(e, ERR_INPUT, "every reference is empty");
    if (!rc) {
        rouge_texts_make(&texts, kept->items, n, d->o->threads, &maker, &stems);
        for (int64_t i = 0; i < n; i++) score_item(&texts, &room, i, out->stats + i * WIDTH);
        rouge_texts_release(&texts);
        set_own(out);
    }
    rouge_room_release(&room);
    stems_release(&stems);
    return rc ? -1 : 1;
}
