#include "score/detection.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

static double iou_of(const float *a, const float *b)
{
    double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);

    if (!(w > 0 && h > 0)) return 0;
    return w * h / ((a[2] - a[0]) * (double)(a[3] - a[1]) + (b[2] - b[0]) * (double)(b[3] - b[1]) - w * h);
}

struct ranked {
    const struct scored_box *box;
    int64_t order;
};

static int by_score(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;

    if (p->box->score != q->box->score) return p->box->score > q->box->score ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

/* Whether detection f takes a truth that is still free. */
static bool take(const struct scored_box *f, const struct scored_box *truth, int64_t n, bool *taken, double threshold)
{
    double best = -1;
    int64_t at = -1;

    for (int64_t i = 0; i < n; i++) {
        if (truth[i].image != f->image || truth[i].class_of != f->class_of) continue;
        double iou = iou_of(f->box, truth[i].box);
        if (iou > best) {
            best = iou;
            at = i;
        }
    }
    if (!(best > threshold) || taken[at]) return false;
    return taken[at] = true;
}

static double class_ap(struct ranked *found, int64_t n, const struct scored_box *truth, int64_t n_truth,
                       int64_t positives, double threshold)
{
    bool *taken = mem_new(bool, n_truth);
    double *precision = mem_new(double, n + 1), *recall = mem_new(double, n + 1), area = 0, hits = 0;

    qsort(found, (size_t)n, sizeof *found, by_score);
    for (int64_t i = 0; i < n; i++) {
        hits += take(found[i].box, truth, n_truth, taken, threshold);
        precision[i] = hits / (double)(i + 1);
        recall[i] = hits / (double)positives;
    }
    for (int64_t i = n - 2; i >= 0; i--) precision[i] = fmax(precision[i], precision[i + 1]);
    for (int64_t i = 0; i < n; i++) area += (recall[i] - (i ? recall[i - 1] : 0)) * precision[i];
    free(taken);
    free(precision);
    free(recall);
    return area;
}

double detection_ap(const struct scored_box *found, int64_t n_found, const struct scored_box *truth, int64_t n_truth,
                    int classes, double iou)
{
    struct ranked *own = mem_new(struct ranked, n_found);
    double sum = 0;
    int counted = 0;

    for (int c = 0; c < classes; c++) {
        int64_t n = 0, positives = 0;
        for (int64_t i = 0; i < n_truth; i++) positives += truth[i].class_of == c;
        if (!positives) continue;
        for (int64_t i = 0; i < n_found; i++) {
            if (found[i].class_of == c) own[n++] = (struct ranked){ &found[i], i };
        }
        sum += class_ap(own, n, truth, n_truth, positives, iou);
        counted++;
    }
    free(own);
    return counted ? sum / counted : 0;
}
