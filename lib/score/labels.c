#include "score/labels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int accuracy_count(const struct score_data *d, struct tally *out, struct err *e)
{
    const struct join *j = &d->texts;

    tally_begin(out, "accuracy", j->n, j->id, 1);
    tally_figure(out, "score", 100, 2, 4);
    str_add(&out->signature, "exact");
    out->finish = tally_means;
    for (int64_t i = 0; i < j->n; i++) {
        const struct score_item *item = &j->items[i];
        bool right = false;
        for (int r = 0; r < item->n_refs && !item->is_missing; r++) right |= !strcmp(item->pred, item->refs[r]);
        out->stats[i] = right;
    }
    return 1;
}

/* ---- figures of the table of classes ---- */

struct classes {
    int32_t n, positive; /* positive: the class "1", or -1 */
    int32_t *pred, *gold;
};

static void classes_free(void *own)
{
    struct classes *c = own;

    free(c->pred);
    free(c->gold);
    free(c);
}

static struct classes *find_classes(const struct join *j)
{
    struct classes *c = mem_new(struct classes, 1);
    struct map names = { 0 };

    c->pred = mem_new(int32_t, j->n + 1);
    c->gold = mem_new(int32_t, j->n + 1);
    for (int64_t i = 0; i < j->n; i++) {
        const char *const words[] = { j->items[i].pred, j->items[i].refs[0] };
        for (int k = 0; k < 2; k++) {
            bool is_new;
            int64_t *at = map_put(&names, words[k], strlen(words[k]), &is_new);
            if (is_new) *at = names.n - 1;
            (k ? c->gold : c->pred)[i] = (int32_t)*at;
        }
    }
    const int64_t *one = map_find(&names, "1", 1);
    c->positive = one ? (int32_t)*one : -1;
    c->n = (int32_t)names.n;
    map_release(&names);
    return c;
}

static int32_t number_of(struct map *numbers, int32_t class)
{
    bool is_new;
    int64_t *at = map_put(numbers, &class, sizeof class, &is_new);

    if (is_new) *at = numbers->n - 1;
    return (int32_t)*at;
}

/* With classes of its own, so that the time does not go by how many classes all items have. */
static void weigh_part(const struct tally *t, const int64_t *rows, int64_t n, double *out)
{
    const struct classes *all = t->more;
    struct classes c = { 0, -1, mem_new(int32_t, n + 1), mem_new(int32_t, n + 1) };
    struct tally part = { .n = n, .more = &c };
    struct map numbers = { 0 };

    if (all->positive >= 0) c.positive = number_of(&numbers, all->positive);
    for (int64_t i = 0; i < n; i++) {
        c.pred[i] = number_of(&numbers, all->pred[rows[i]]);
        c.gold[i] = number_of(&numbers, all->gold[rows[i]]);
    }
    c.n = (int32_t)numbers.n;
    t->weigh(&part, NULL, out);
    map_release(&numbers);
    free(c.pred);
    free(c.gold);
}

struct counts { /* of each class */
    double *pred, *gold, *both, n, right;
};

static struct counts count(const struct tally *t, const int32_t *times)
{
    const struct classes *c = t->more;
    struct counts k = { mem_new(double, c->n), mem_new(double, c->n), mem_new(double, c->n), 0, 0 };

    for (int64_t i = 0; i < t->n; i++) {
        double w = times ? times[i] : 1;
        k.n += w;
        k.pred[c->pred[i]] += w;
        k.gold[c->gold[i]] += w;
        if (c->pred[i] != c->gold[i]) continue;
        k.both[c->gold[i]] += w;
        k.right += w;
    }
    return k;
}

static void counts_release(struct counts *k)
{
    free(k->pred);
    free(k->gold);
    free(k->both);
}

static void matthews(const struct tally *t, const int32_t *times, double *out)
{
    const struct classes *c = t->more;
    struct counts k = count(t, times);
    double cross = 0, preds = 0, golds = 0;

    for (int i = 0; i < c->n; i++) {
        cross += k.pred[i] * k.gold[i];
        preds += k.pred[i] * k.pred[i];
        golds += k.gold[i] * k.gold[i];
    }
    double below = sqrt((k.n * k.n - preds) * (k.n * k.n - golds));
    out[0] = below > 0 ? (k.right * k.n - cross) / below : 0;
    counts_release(&k);
}

int matthews_count(const struct score_data *d, struct tally *out, struct err *e)
{
    tally_begin(out, "matthews", d->texts.n, d->texts.id, 0);
    tally_figure(out, "score", 100, 2, 4);
    out->more = find_classes(&d->texts);
    out->release = classes_free;
    out->weigh = matthews;
    out->weigh_part = weigh_part;
    str_addf(&out->signature, "scikit-learn|classes:%d|0/0:0", ((struct classes *)out->more)->n);
    return 1;
}

static double f1_of(const struct counts *k, int i)
{
    double below = k->pred[i] + k->gold[i];

    return below > 0 ? 2 * k->both[i] / below : 0;
}

static void f1(const struct tally *t, const int32_t *times, double *out)
{
    const struct classes *c = t->more;
    struct counts k = count(t, times);
    double sum = 0, present = 0;

    for (int i = 0; i < c->n; i++) {
        sum += f1_of(&k, i);
        present += k.pred[i] + k.gold[i] > 0;
    }
    out[0] = c->positive < 0 ? NAN : f1_of(&k, c->positive);
    out[1] = present > 0 ? sum / present : 0;
    counts_release(&k);
}

int f1_count(const struct score_data *d, struct tally *out, struct err *e)
{
    tally_begin(out, "f1", d->texts.n, d->texts.id, 0);
    tally_figure(out, "f1", 100, 2, 4);
    tally_figure(out, "macro_f1", 100, 2, 4);
    out->more = find_classes(&d->texts);
    out->release = classes_free;
    out->weigh = f1;
    out->weigh_part = weigh_part;
    str_addf(&out->signature, "scikit-learn|positive:1|classes:%d|0/0:0", ((struct classes *)out->more)->n);
    return 1;
}
