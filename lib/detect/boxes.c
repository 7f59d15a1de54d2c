#include "detect/boxes.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

float box_iou(struct box a, struct box b, float extra)
{
    float w = fminf(a.x2, b.x2) - fmaxf(a.x1, b.x1) + extra, h = fminf(a.y2, b.y2) - fmaxf(a.y1, b.y1) + extra;

    if (!(w > 0 && h > 0)) return 0;
    float both = (a.x2 - a.x1 + extra) * (a.y2 - a.y1 + extra) + (b.x2 - b.x1 + extra) * (b.y2 - b.y1 + extra) - w * h;
    return both > 0 ? w * h / both : 0;
}

struct box box_clip(struct box b, float width, float height, float extra)
{
    float right = width - extra, bottom = height - extra;

    return (struct box){ fmaxf(fminf(b.x1, right), 0), fmaxf(fminf(b.y1, bottom), 0), fmaxf(fminf(b.x2, right), 0),
                         fmaxf(fminf(b.y2, bottom), 0) };
}

void box_encode(float delta[4], struct box a, struct box t, float extra)
{
    float w = a.x2 - a.x1 + extra, h = a.y2 - a.y1 + extra, tw = t.x2 - t.x1 + extra, th = t.y2 - t.y1 + extra;

    delta[0] = (t.x1 + 0.5f * tw - a.x1 - 0.5f * w) / w;
    delta[1] = (t.y1 + 0.5f * th - a.y1 - 0.5f * h) / h;
    delta[2] = logf(tw / w);
    delta[3] = logf(th / h);
}

struct box box_decode(const float delta[4], struct box a, float extra)
{
    /* log(1000 / 16): the ports' guard against overflow; Caffe has none, and only infinity is kept out here */
    const float most = extra > 0 ? 80 : 4.135166556742356f;
    float w = a.x2 - a.x1 + extra, h = a.y2 - a.y1 + extra, x = a.x1 + 0.5f * w + delta[0] * w,
          y = a.y1 + 0.5f * h + delta[1] * h;
    float tw = expf(fminf(delta[2], most)) * w, th = expf(fminf(delta[3], most)) * h;

    /* py-faster-rcnn adds half the size without taking the extra pixel off again */
    return (struct box){ x - 0.5f * tw, y - 0.5f * th, x + 0.5f * tw, y + 0.5f * th };
}

int64_t nms(int64_t *keep, const struct box *boxes, const int64_t *order, int64_t n, float threshold, int64_t most,
            float extra)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < n && kept < most; i++) {
        bool is_free = true;
        for (int64_t k = 0; k < kept && is_free; k++)
            is_free = box_iou(boxes[order[i]], boxes[keep[k]], extra) <= threshold;
        if (is_free) keep[kept++] = order[i];
    }
    return kept;
}

struct scored {
    float score;
    int64_t index;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *p = a, *q = b;

    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

int64_t order_by_score(int64_t *order, const float *scores, int64_t n, int64_t most)
{
    struct scored *s = mem_new(struct scored, n);

    /* NaN would have no place in an order: it goes last */
    for (int64_t i = 0; i < n; i++) s[i] = (struct scored){ isnan(scores[i]) ? -INFINITY : scores[i], i };
    qsort(s, (size_t)n, sizeof *s, by_score);
    if (most > 0 && n > most) n = most;
    for (int64_t i = 0; i < n; i++) order[i] = s[i].index;
    free(s);
    return n;
}

int detect_anchors(const struct detect_config *c)
{
    return c->n_anchor_boxes ? c->n_anchor_boxes : c->n_scales * c->n_ratios;
}

/* Anchor k of the cell at the origin. Caffe: base box 0..15 around 7.5, sides rounded before scaling, widths with +1;
 * scales are then multiples of 16. Else: centred in the cell, exact. */
static struct box anchor_at_origin(const struct detect_config *c, int stride, int anchor)
{
    float scale = c->scales[anchor % c->n_scales], ratio = c->ratios[anchor / c->n_scales % c->n_ratios];
    const float *own = c->anchor_boxes[anchor % ANCHOR_BOXES_MAX];

    if (c->n_anchor_boxes) return (struct box){ own[0], own[1], own[2], own[3] };
    if (c->anchors_caffe) {
        float w = roundf(sqrtf(256 / ratio)), h = roundf(w * ratio), k = scale / 16;
        return (struct box){ 7.5f - 0.5f * (w * k - 1), 7.5f - 0.5f * (h * k - 1), 7.5f + 0.5f * (w * k - 1),
                             7.5f + 0.5f * (h * k - 1) };
    }
    float w = scale / sqrtf(ratio), h = scale * sqrtf(ratio), centre = 0.5f * (float)stride;
    return (struct box){ centre - 0.5f * w, centre - 0.5f * h, centre + 0.5f * w, centre + 0.5f * h };
}

void anchors_make(struct box *out, const struct detect_config *c, int rows, int columns)
{
    int stride = detect_stride(c);

    for (int y = 0; y < rows; y++) {
        for (int x = 0; x < columns; x++) {
            for (int k = 0; k < detect_anchors(c); k++) { /* ratios outer, scales inner */
                struct box b = anchor_at_origin(c, stride, k);
                float dx = (float)(x * stride), dy = (float)(y * stride);
                *out++ = (struct box){ b.x1 + dx, b.y1 + dy, b.x2 + dx, b.y2 + dy };
            }
        }
    }
}
