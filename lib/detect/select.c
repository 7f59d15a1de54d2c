#include "detect/select.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int most_likely(const float *probs, int n)
{
    int best = n > 1 ? 1 : 0;

    for (int k = 2; k < n; k++) {
        if (probs[k] > probs[best]) best = k;
    }
    return best;
}

/* Which boxes overlap which by more than the threshold, as rows of bits: it is the same for every class. */
static uint64_t *overlaps(const struct box *boxes, int64_t n, float threshold, float extra, int64_t words)
{
    uint64_t *bits = mem_new(uint64_t, n * words + 1);

    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) {
            if (box_iou(boxes[i], boxes[k], extra) <= threshold) continue;
            bits[i * words + k / 64] |= 1ULL << (k % 64);
            bits[k * words + i / 64] |= 1ULL << (i % 64);
        }
    }
    return bits;
}

static void confidences(float *confidence, const struct detections *x, const struct detect_config *c,
                        const struct select_opts *o)
{
    int64_t *order = mem_new(int64_t, x->n), words = (x->n + 63) / 64;
    uint64_t *bits = overlaps(o->refined ? x->refined : x->proposals, x->n, o->nms, c->anchors_caffe ? 1 : 0, words),
             *suppressed = mem_new(uint64_t, words + 1);
    float *scores = mem_new(float, x->n);

    for (int k = 1; k < c->classes.n; k++) {
        for (int64_t i = 0; i < x->n; i++) scores[i] = x->probs[i * c->classes.n + k];
        order_by_score(order, scores, x->n, 0);
        memset(suppressed, 0, (size_t)words * sizeof *suppressed);
        for (int64_t i = 0; i < x->n; i++) {
            int64_t at = order[i];
            if (suppressed[at / 64] >> (at % 64) & 1) continue;
            for (int64_t w = 0; w < words; w++) suppressed[w] |= bits[at * words + w];
            confidence[at] = fmaxf(confidence[at], scores[at]);
        }
    }
    free(order);
    free(bits);
    free(suppressed);
    free(scores);
}

void select_regions(struct selection *s, const struct detections *x, const struct detect_config *c,
                    const struct select_opts *o)
{
    float *confidence = mem_new(float, x->n);
    int64_t *order = mem_new(int64_t, x->n), n = 0;

    confidences(confidence, x, c, o);
    order_by_score(order, confidence, x->n, 0);
    while (n < x->n && confidence[order[n]] >= o->threshold) n++;
    n = n < o->min ? o->min : n > o->max ? o->max : n;
    *s = (struct selection){ .n = n < x->n ? n : x->n };
    s->at = mem_new(int64_t, s->n);
    s->confidence = mem_new(float, s->n);
    s->class_of = mem_new(int, s->n);
    s->attribute_of = mem_new(int, s->n);
    for (int64_t i = 0; i < s->n; i++) {
        s->at[i] = order[i];
        s->confidence[i] = confidence[order[i]];
        s->class_of[i] = most_likely(x->probs + order[i] * c->classes.n, c->classes.n);
        if (x->attribute_probs)
            s->attribute_of[i] = most_likely(x->attribute_probs + order[i] * c->attributes.n, c->attributes.n);
    }
    free(confidence);
    free(order);
}

void selection_release(struct selection *s)
{
    free(s->at);
    free(s->confidence);
    free(s->class_of);
    free(s->attribute_of);
    *s = (struct selection){ 0 };
}
