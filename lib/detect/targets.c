#include "detect/targets.h"
#include "core/mem.h"
#include <stdlib.h>

/* Keeps `most` of the indices of items with the wanted label, chosen at random; the others get -1. */
static int keep_some(int8_t *label, int64_t n, int8_t wanted, int most, struct rng *r)
{
    int64_t *at = mem_new(int64_t, n), found = 0;

    for (int64_t i = 0; i < n; i++) {
        if (label[i] == wanted) at[found++] = i;
    }
    for (int64_t i = found; i > most; i--) {
        int64_t k = rng_below(r, i);
        label[at[k]] = -1;
        at[k] = at[i - 1];
    }
    free(at);
    return (int)(found < most ? found : most);
}

int rpn_targets(int8_t *label, float *delta, const struct box *anchors, int64_t n, const struct annotation *objects,
                int n_objects, float width, float height, int sample, float extra, struct rng *r)
{
    float *best = mem_new(float, n);
    int *which = mem_new(int, n);

    for (int64_t i = 0; i < n; i++) {
        const struct box *a = &anchors[i];
        /* a small margin: with few cells an object at the border would have no anchor */
        bool is_inside =
            a->x1 >= -0.25f * width && a->y1 >= -0.25f * height && a->x2 <= 1.25f * width && a->y2 <= 1.25f * height;
        for (int k = 0; k < n_objects; k++) {
            float iou = box_iou(*a, objects[k].box, extra);
            if (iou > best[i]) best[i] = iou, which[i] = k;
        }
        label[i] = best[i] >= 0.7f ? 1 : best[i] < 0.3f && is_inside ? 0 : -1;
    }
    for (int k = 0; k < n_objects; k++) { /* the best anchors of each box, however poor */
        float top = 1e-3f;
        for (int64_t i = 0; i < n; i++) {
            float iou = box_iou(anchors[i], objects[k].box, extra);
            top = iou > top ? iou : top;
        }
        for (int64_t i = 0; i < n; i++) {
            if (box_iou(anchors[i], objects[k].box, extra) < top - 1e-6f) continue;
            label[i] = 1;
            which[i] = k;
        }
    }
    int positives = keep_some(label, n, 1, sample / 2, r), negatives = keep_some(label, n, 0, sample - positives, r);
    for (int64_t i = 0; i < n; i++) {
        if (label[i] == 1) box_encode(delta + 4 * i, anchors[i], objects[which[i]].box, extra);
    }
    free(best);
    free(which);
    return positives + negatives;
}

static const float delta_scale[4] = { 0.1f, 0.1f, 0.2f, 0.2f };

int region_targets(struct region_target *out, const struct box *proposals, int64_t n, const struct annotation *objects,
                   int n_objects, int sample, float extra, struct rng *r)
{
    int64_t all = n + n_objects;
    int8_t *label = mem_new(int8_t, all);
    struct region_target *t = mem_new(struct region_target, all);
    int taken = 0;

    for (int64_t i = 0; i < all; i++) {
        float best = 0;
        t[i] = (struct region_target){ .box = i < n ? proposals[i] : objects[i - n].box, .object = -1 };
        for (int k = 0; k < n_objects; k++) {
            float iou = box_iou(t[i].box, objects[k].box, extra);
            if (iou > best) best = iou, t[i].object = k;
        }
        label[i] = best >= 0.5f;
        if (!label[i]) t[i].object = -1;
        if (!label[i]) continue;
        t[i].class_of = objects[t[i].object].class_of;
        box_encode(t[i].delta, t[i].box, objects[t[i].object].box, extra);
        for (int c = 0; c < 4; c++) t[i].delta[c] /= delta_scale[c];
    }
    int positives = keep_some(label, all, 1, sample / 2, r);
    keep_some(label, all, 0, sample - positives, r);
    for (int64_t i = 0; i < all; i++) {
        if (label[i] >= 0) out[taken++] = t[i];
    }
    free(label);
    free(t);
    return taken;
}
