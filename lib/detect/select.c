#include "detect/select.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

static int most_likely(const float *probs, int n)
{
    int best = n > 1 ? 1 : 0;

    for (int k = 2; k < n; k++) {
        if (probs[k] > probs[best]) best = k;
    }
    return best;
}

static void confidences(float *confidence, const struct detections *x, const struct detect_config *c,
                        const struct select_opts *o)
{
    const struct box *boxes = o->refined ? x->refined : x->proposals;
    int64_t *order = mem_new(int64_t, x->n), *keep = mem_new(int64_t, x->n);
    float *scores = mem_new(float, x->n);

    for (int k = 1; k < c->classes.n; k++) {
        for (int64_t i = 0; i < x->n; i++) scores[i] = x->probs[i * c->classes.n + k];
        order_by_score(order, scores, x->n, 0);
        int64_t kept = nms(keep, boxes, order, x->n, o->nms, x->n, c->anchors_caffe ? 1 : 0);
        for (int64_t i = 0; i < kept; i++) confidence[keep[i]] = fmaxf(confidence[keep[i]], scores[keep[i]]);
    }
    free(order);
    free(keep);
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
