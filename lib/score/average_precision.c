#include "score/average_precision.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- boxes by category and image ---- */

struct group { /* boxes of one category, sorted by image, an image's in the order of the file */
    const struct box **at;
    int64_t n;
};

static struct group *group_boxes(const struct box *boxes, int64_t n, int64_t categories, int64_t images)
{
    struct group *g = mem_new(struct group, categories + 1);
    int64_t *start = mem_new(int64_t, images + 2);
    const struct box **sorted = mem_new(const struct box *, n + 1);

    for (int64_t i = 0; i < n; i++) {
        g[boxes[i].category].n++;
        start[boxes[i].image + 2]++;
    }
    for (int64_t k = 2; k <= images; k++) start[k] += start[k - 1];
    for (int64_t i = 0; i < n; i++) sorted[start[boxes[i].image + 1]++] = &boxes[i];
    for (int64_t c = 0; c < categories; c++) {
        g[c].at = mem_new(const struct box *, g[c].n + 1);
        g[c].n = 0;
    }
    for (int64_t i = 0; i < n; i++) {
        struct group *to = &g[sorted[i]->category];
        to->at[to->n++] = sorted[i];
    }
    free(start);
    free(sorted);
    return g;
}

/* Where the boxes of an image end that begin at `from`, which is `from` where it has none. */
static int64_t end_of(const struct group *g, int64_t from, int32_t image)
{
    while (from < g->n && g->at[from]->image == image) from++;
    return from;
}

/* Where the boxes of an image begin, or would. */
static int64_t start_of(const struct group *g, int32_t image)
{
    int64_t low = 0, high = g->n;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (g->at[middle]->image < image) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Boxes that are to be found, by image; where there are none, nothing. */
struct wanted {
    int32_t image, n;
};
struct wanted_list {
    struct wanted *at;
    int64_t n, cap;
};

static void want(struct wanted_list *l, int32_t image, int64_t n)
{
    if (!n) return;
    mem_reserve(&l->at, &l->cap, l->n + 1);
    l->at[l->n++] = (struct wanted){ image, (int32_t)n };
}

static double count_wanted(const struct wanted_list *l, const int32_t *times)
{
    double n = 0;

    for (int64_t i = 0; i < l->n; i++) n += (double)l->at[i].n * (times ? times[l->at[i].image] : 1);
    return n;
}

static void groups_free(struct group *g, int64_t categories)
{
    for (int64_t c = 0; c < categories; c++) free(g[c].at);
    free(g);
}

static int by_score(const void *a, const void *b)
{
    const struct box *p = *(const struct box *const *)a, *q = *(const struct box *const *)b;

    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return (p > q) - (p < q); /* the order of the file */
}

/* ---- COCO ---- */

enum { AREAS = 4, IOUS = 10, RECALLS = 101, MOST = 100, NOTHING = -1 /* a figure where there is nothing to find */ };
static const double areas[AREAS][2] = { { 0, 1e10 }, { 0, 1024 }, { 1024, 9216 }, { 9216, 1e10 } };

struct found { /* a detection that was compared with its image's boxes */
    double score;
    int32_t image, rank;       /* rank among the image's of the category */
    uint16_t matched, ignored; /* a bit for each IoU */
};
struct cell { /* of a category and a range of areas */
    int64_t n, cap;
    struct found *found; /* by falling score */
    struct wanted_list wanted;
};
struct coco {
    int64_t images, categories;
    struct cell *cells; /* [categories][AREAS] */
    int32_t *place;     /* [images] in the order of ids */
};

static void coco_free(void *own)
{
    struct coco *c = own;

    for (int64_t i = 0; i < c->categories * AREAS; i++) {
        free(c->cells[i].found);
        free(c->cells[i].wanted.at);
    }
    free(c->cells);
    free(c->place);
    free(c);
}

static double iou_of(const struct box *found, const struct box *truth)
{
    double w = fmin(found->x + found->w, truth->x + truth->w) - fmax(found->x, truth->x),
           h = fmin(found->y + found->h, truth->y + truth->h) - fmax(found->y, truth->y);

    if (w <= 0 || h <= 0) return 0;
    double own = found->w * found->h, both = w * h;
    return both / (truth->is_crowd ? own : own + truth->w * truth->h - both);
}

static bool is_outside(double area, int range)
{
    return area < areas[range][0] || area > areas[range][1];
}

/* The box that a detection takes at an IoU, or -1: of those that are free the one with the largest overlap, the later
 * one of equals; those that do not count only when no other fits. */
static int64_t take(const struct box *found, const struct box **truth, const bool *ignored, const bool *taken,
                    int64_t n, double least)
{
    double best = fmin(least, 1 - 1e-10);
    int64_t at = -1;

    for (int64_t g = 0; g < n; g++) {
        if (taken[g] && !truth[g]->is_crowd) continue;
        if (at >= 0 && !ignored[at] && ignored[g]) break;
        double iou = iou_of(found, truth[g]);
        if (iou < best) continue;
        best = iou;
        at = g;
    }
    return at;
}

struct image { /* of one category: boxes that do not count are last */
    int64_t n;
    const struct box **truth;
    bool *ignored, *taken;
    int64_t cap_truth, cap_ignored, cap_taken;
};

static void sort_truth(struct image *m, const struct box **truth, int64_t n, int range)
{
    mem_reserve(&m->truth, &m->cap_truth, n + 1);
    mem_reserve(&m->ignored, &m->cap_ignored, n + 1);
    mem_reserve(&m->taken, &m->cap_taken, n + 1);
    m->n = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < n; i++) {
            if ((truth[i]->is_crowd || is_outside(truth[i]->area, range)) != pass) continue;
            m->ignored[m->n] = pass;
            m->truth[m->n++] = truth[i];
        }
    }
}

static void match_image(struct cell *cell, struct image *m, const struct box **found, int64_t n, int32_t image,
                        int range)
{
    int64_t at = cell->n, wanted = 0;

    if (n > MOST) n = MOST;
    mem_reserve(&cell->found, &cell->cap, cell->n + n + 1);
    for (int64_t i = 0; i < n; i++) cell->found[cell->n++] = (struct found){ found[i]->score, image, (int32_t)i, 0, 0 };
    for (int t = 0; t < IOUS; t++) {
        memset(m->taken, 0, (size_t)m->n * sizeof *m->taken);
        for (int64_t i = 0; i < n; i++) {
            struct found *f = &cell->found[at + i];
            int64_t g = take(found[i], m->truth, m->ignored, m->taken, m->n, 0.5 + t * ((0.95 - 0.5) / 9));
            bool ignored = g < 0 ? is_outside(found[i]->w * found[i]->h, range) : m->ignored[g];
            if (g >= 0) m->taken[g] = true;
            f->matched |= (uint16_t)((g >= 0) << t);
            f->ignored |= (uint16_t)(ignored << t);
        }
    }
    for (int64_t g = 0; g < m->n; g++) wanted += !m->ignored[g];
    want(&cell->wanted, image, wanted);
}

static int by_falling_score(const void *a, const void *b, void *place)
{
    const struct found *p = a, *q = b;
    const int32_t *order = place;

    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    if (p->image != q->image) return order[p->image] < order[q->image] ? -1 : 1;
    return (p->rank > q->rank) - (p->rank < q->rank);
}

/* A category's four cells, from the images that have boxes of it: most have none where there are many categories. */
static void fill_category(struct coco *c, struct cell *cells, const struct group *truth, const struct group *found,
                          struct image *m)
{
    for (int64_t t = 0, f = 0; t < truth->n || f < found->n;) {
        int32_t image = t < truth->n ? truth->at[t]->image : found->at[f]->image;
        if (f < found->n && found->at[f]->image < image) image = found->at[f]->image;
        int64_t truth_end = end_of(truth, t, image), found_end = end_of(found, f, image);
        qsort(found->at + f, (size_t)(found_end - f), sizeof *found->at, by_score);
        for (int range = 0; range < AREAS; range++) {
            sort_truth(m, truth->at + t, truth_end - t, range);
            match_image(&cells[range], m, found->at + f, found_end - f, image, range);
        }
        t = truth_end;
        f = found_end;
    }
    for (int range = 0; range < AREAS; range++) {
        struct cell *cell = &cells[range];
        if (cell->n) qsort_r(cell->found, (size_t)cell->n, sizeof *cell->found, by_falling_score, c->place);
    }
}

static void fill_cells(struct coco *c, const struct boxes *b)
{
    struct group *truth = group_boxes(b->truth, b->n_true, c->categories, c->images),
                 *found = group_boxes(b->found, b->n_found, c->categories, c->images);
    struct image m = { 0 };

    for (int64_t k = 0; k < c->categories; k++) fill_category(c, c->cells + k * AREAS, &truth[k], &found[k], &m);
    groups_free(truth, c->categories);
    groups_free(found, c->categories);
    free(m.truth);
    free(m.ignored);
    free(m.taken);
}

/* Average precision (101 points) and final recall of a cell at one IoU, with the `most` best of each image; false when
 * there is nothing to find. */
static bool accumulate(const struct cell *cell, int t, int most, const int32_t *times, double *room, double *ap,
                       double *recall)
{
    double positives = count_wanted(&cell->wanted, times), right = 0, wrong = 0, *precision = room,
           *recalls = room + cell->n;
    int64_t n = 0, at = 0;

    if (positives <= 0) return false;
    for (int64_t i = 0; i < cell->n; i++) {
        const struct found *f = &cell->found[i];
        double w = times ? times[f->image] : 1;
        if (f->rank >= most || f->ignored >> t & 1 || w == 0) continue;
        if (f->matched >> t & 1) right += w;
        else wrong += w;
        precision[n] = right / (right + wrong + 2.220446049250313e-16);
        recalls[n++] = right / positives;
    }
    for (int64_t i = n - 2; i >= 0; i--) precision[i] = fmax(precision[i], precision[i + 1]);
    *recall = n ? recalls[n - 1] : 0;
    *ap = 0;
    for (int p = 0; p < RECALLS; p++) {
        double least = p == RECALLS - 1 ? 1 : p * 0.01;
        while (at < n && recalls[at] < least) at++;
        *ap += at < n ? precision[at] : 0;
    }
    *ap /= RECALLS;
    return true;
}

/* What one of the figures is: the mean over categories and IoUs from `first` to `last`. */
struct summary {
    const char *name;
    int range, most, first, last;
    bool is_recall;
};
static const struct summary summaries[] = {
    { "AP", 0, 100, 0, 9, false },       { "AP50", 0, 100, 0, 0, false },      { "AP75", 0, 100, 5, 5, false },
    { "AP_small", 1, 100, 0, 9, false }, { "AP_medium", 2, 100, 0, 9, false }, { "AP_large", 3, 100, 0, 9, false },
    { "AR1", 0, 1, 0, 9, true },         { "AR10", 0, 10, 0, 9, true },        { "AR100", 0, 100, 0, 9, true },
    { "AR_small", 1, 100, 0, 9, true },  { "AR_medium", 2, 100, 0, 9, true },  { "AR_large", 3, 100, 0, 9, true },
};
enum { SUMMARIES = sizeof summaries / sizeof *summaries };

static double summarise(const struct coco *c, const struct summary *s, int64_t first, int64_t last,
                        const int32_t *times)
{
    double sum = 0, n = 0;

    for (int64_t k = first; k < last; k++) {
        const struct cell *cell = &c->cells[k * AREAS + s->range];
        double *room = mem_new(double, 2 * cell->n + 1), ap, recall;
        for (int t = s->first; t <= s->last; t++) {
            if (!accumulate(cell, t, s->most, times, room, &ap, &recall)) continue;
            sum += s->is_recall ? recall : ap;
            n++;
        }
        free(room);
    }
    return n > 0 ? sum / n : NAN;
}

static void coco_figures(const struct tally *t, const int32_t *times, double *out)
{
    const struct coco *c = t->more;

    for (int k = 0; k < SUMMARIES; k++) out[k] = summarise(c, &summaries[k], 0, c->categories, times);
}

static struct value *coco_categories(const struct coco *c, const struct boxes *b, double scale)
{
    struct value *all = value_object();

    for (int64_t k = 0; k < c->categories; k++) {
        struct value *v = value_object();
        for (int s = 0; s < 2; s++) {
            double x = summarise(c, &summaries[s], k, k + 1, NULL);
            value_set(v, summaries[s].name, value_real(isnan(x) ? NOTHING : scale * x));
        }
        value_set(all, b->categories.at[k].key, v);
    }
    return all;
}

int coco_count(const struct score_data *d, struct tally *out, struct err *e)
{
    const struct boxes *b = &d->boxes;
    struct coco *c = mem_new(struct coco, 1);

    *c = (struct coco){ .images = b->images.n, .categories = b->categories.n };
    c->cells = mem_new(struct cell, c->categories * AREAS + 1);
    c->place = mem_new(int32_t, c->images + 1);
    for (int64_t i = 0; i < c->images; i++) c->place[b->order[i]] = (int32_t)i;
    fill_cells(c, b);
    tally_begin(out, "ap-coco", b->images.n, b->ids, 0);
    for (int k = 0; k < SUMMARIES; k++) tally_figure(out, summaries[k].name, 100, 1, 3);
    str_add(&out->signature, "pycocotools|bbox");
    out->weigh = coco_figures;
    out->undefined = NOTHING;
    out->more = c;
    out->release = coco_free;
    tally_note(out, "by_category", coco_categories(c, b, d->o->ref_scale ? 1 : 100));
    return 1;
}

/* ---- VOC ---- */

struct voc_found {
    int32_t image;
    int8_t kind; /* 1 right, 0 wrong, -1 not counted */
};
struct voc_class {
    int64_t n;
    struct voc_found *found; /* by falling confidence */
    struct wanted_list wanted;
};
struct voc {
    int64_t images, categories;
    struct voc_class *classes;
};

static void voc_free(void *own)
{
    struct voc *v = own;

    for (int64_t k = 0; k < v->categories; k++) {
        free(v->classes[k].found);
        free(v->classes[k].wanted.at);
    }
    free(v->classes);
    free(v);
}

/* Corners belong to the boxes. */
static double overlap(const struct box *a, const struct box *b)
{
    double w = fmin(a->x + a->w, b->x + b->w) - fmax(a->x, b->x), h = fmin(a->y + a->h, b->y + b->h) - fmax(a->y, b->y),
           both = fmax(w, 0) * fmax(h, 0);

    return both / (a->w * a->h + b->w * b->h - both);
}

static void judge_class(struct voc_class *v, const struct group *truth, struct group *found)
{
    bool *taken = mem_new(bool, truth->n + 1);

    qsort(found->at, (size_t)found->n, sizeof *found->at, by_score);
    v->found = mem_new(struct voc_found, found->n + 1);
    for (int64_t i = 0; i < found->n; i++) {
        const struct box *f = found->at[i];
        double best = -INFINITY;
        int64_t at = -1;
        for (int64_t g = start_of(truth, f->image); g < truth->n && truth->at[g]->image == f->image; g++) {
            double o = overlap(f, truth->at[g]);
            if (o <= best) continue;
            best = o;
            at = g;
        }
        int8_t kind = 0;
        if (best > 0.5 && truth->at[at]->is_difficult) kind = -1;
        else if (best > 0.5 && !taken[at]) kind = taken[at] = true;
        v->found[v->n++] = (struct voc_found){ f->image, kind };
    }
    free(taken);
}

/* Average precision of a class by eleven points and by all; false when there is nothing to find. */
static bool voc_precision(const struct voc_class *c, const int32_t *times, double out[2])
{
    double positives = count_wanted(&c->wanted, times), right = 0, wrong = 0, *precision = mem_new(double, c->n + 1),
           *recall = mem_new(double, c->n + 1), before = 0;
    int64_t n = 0;

    out[0] = out[1] = 0;
    for (int64_t i = 0; i < c->n && positives > 0; i++) {
        double w = times ? times[c->found[i].image] : 1;
        if (w == 0) continue;
        if (c->found[i].kind > 0) right += w;
        else if (!c->found[i].kind) wrong += w;
        recall[n] = right / positives;
        precision[n++] = right / fmax(right + wrong, 2.220446049250313e-16);
    }
    for (int64_t i = n - 2; i >= 0; i--) precision[i] = fmax(precision[i], precision[i + 1]);
    for (int t = 0; t <= 10; t++) {
        int64_t at = 0;
        while (at < n && recall[at] < t * 0.1) at++;
        out[0] += at < n ? precision[at] / 11 : 0;
    }
    for (int64_t i = 0; i < n; i++) {
        out[1] += (recall[i] - before) * precision[i];
        before = recall[i];
    }
    free(precision);
    free(recall);
    return positives > 0;
}

static void voc_figures(const struct tally *t, const int32_t *times, double *out)
{
    const struct voc *v = t->more;
    double n = 0, one[2];

    out[0] = out[1] = 0;
    for (int64_t k = 0; k < v->categories; k++) {
        if (!voc_precision(&v->classes[k], times, one)) continue;
        out[0] += one[0];
        out[1] += one[1];
        n++;
    }
    out[0] = n > 0 ? out[0] / n : NAN;
    out[1] = n > 0 ? out[1] / n : NAN;
}

static struct value *voc_categories(const struct voc *v, const struct boxes *b, double scale)
{
    struct value *all = value_object();
    double one[2];

    for (int64_t k = 0; k < v->categories; k++) {
        if (!voc_precision(&v->classes[k], NULL, one)) continue;
        struct value *o = value_object();
        value_set(o, "AP_07", value_real(scale * one[0]));
        value_set(o, "AP", value_real(scale * one[1]));
        value_set(all, b->categories.at[k].key, o);
    }
    return all;
}

int voc_count(const struct score_data *d, struct tally *out, struct err *e)
{
    const struct boxes *b = &d->boxes;
    struct voc *v = mem_new(struct voc, 1);

    *v = (struct voc){ b->images.n, b->categories.n, mem_new(struct voc_class, b->categories.n + 1) };
    struct group *truth = group_boxes(b->truth, b->n_true, v->categories, v->images),
                 *found = group_boxes(b->found, b->n_found, v->categories, v->images);
    for (int64_t k = 0; k < v->categories; k++) {
        for (int64_t i = 0; i < truth[k].n; i++)
            want(&v->classes[k].wanted, truth[k].at[i]->image, !truth[k].at[i]->is_difficult);
        judge_class(&v->classes[k], &truth[k], &found[k]);
    }
    groups_free(truth, v->categories);
    groups_free(found, v->categories);
    tally_begin(out, "ap-voc", v->images, b->ids, 0);
    tally_figure(out, "mAP_07", 100, 2, 4);
    tally_figure(out, "mAP", 100, 2, 4);
    str_add(&out->signature, "voc|iou:0.5|corners:inclusive|ties:file");
    out->weigh = voc_figures;
    out->more = v;
    out->release = voc_free;
    tally_note(out, "by_category", voc_categories(v, b, d->o->ref_scale ? 1 : 100));
    return 1;
}
