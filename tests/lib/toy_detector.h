/* Toy detectors for tests: everything small, one in the style of each family. */
#ifndef TOY_DETECTOR_H
#define TOY_DETECTOR_H
#include "core/mem.h"
#include "core/rng.h"
#include "detect/detector.h"
#include "detect/select.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static inline void toy_names(struct detect_config *c, int classes, int attributes)
{
    char name[16];

    for (int i = 0; i < classes; i++) {
        snprintf(name, sizeof name, "class%d", i);
        names_add(&c->classes, name);
    }
    for (int i = 0; i < attributes; i++) {
        snprintf(name, sizeof name, "attribute%d", i);
        names_add(&c->attributes, name);
    }
}

/* Group norm, stride in the 3x3, exact anchors, one set of deltas: as --learn trains them. */
static inline struct detect_config toy_detector_learnt(void)
{
    struct detect_config c = { .mean = { 128, 128, 128 },
                               .scale = { 1 / 64.0f, 1 / 64.0f, 1 / 64.0f },
                               .short_side = 48,
                               .long_side = 64,
                               .stem_kernel = 3,
                               .stem_stride = 2,
                               .stem_channels = 8,
                               .pool_kernel = 3,
                               .pool_stride = 2,
                               .pool_pad = 1,
                               .groups = 2,
                               .n_stages = 2,
                               .stages = { { 1, 4, 12, 1, 1, false }, { 2, 6, 16, 2, 1, false } },
                               .head = { 2, 8, 20, 1, 1, false },
                               .n_scales = 2,
                               .scales = { 12, 24 },
                               .n_ratios = 2,
                               .ratios = { 0.7f, 1.4f },
                               .rpn_channels = 8,
                               .pre_nms = 60,
                               .post_nms = 16,
                               .rpn_nms = 0.7f,
                               .min_side = 4,
                               .roi_size = 5,
                               .attribute_hidden = 6 };

    toy_names(&c, 5, 4);
    return c;
}

/* Frozen norms, 7x7 stem, pooling that rounds up, stride in the 1x1, dilation in the head, rounded anchors, deltas per
 * class: as the bottom-up-attention release. */
static inline struct detect_config toy_detector_caffe(void)
{
    struct detect_config c = {
        .is_bgr = true,
        .mean = { 102.9801f, 115.9465f, 122.7717f },
        .scale = { 1 / 64.0f, 1 / 64.0f, 1 / 64.0f },
        .is_exact_scale = true,
        .short_side = 75,
        .long_side = 125,
        .stem_kernel = 7,
        .stem_stride = 2,
        .stem_channels = 8,
        .pool_kernel = 3,
        .pool_stride = 2,
        .pool_ceil = true,
        .n_stages = 3,
        .stages = { { 2, 4, 12, 1, 1, true }, { 1, 6, 16, 2, 1, true }, { 2, 6, 20, 2, 1, true } },
        .head = { 2, 8, 24, 1, 2, true },
        .anchors_caffe = true,
        .n_scales = 3,
        .scales = { 16, 32, 64 },
        .n_ratios = 3,
        .ratios = { 0.5f, 1, 2 },
        .rpn_channels = 10,
        .pre_nms = 200,
        .post_nms = 24,
        .rpn_nms = 0.7f,
        .min_side = 12,
        .min_side_of_picture = true,
        .roi_size = 6,
        .boxes_per_class = true,
        .attribute_hidden = 7,
        .attribute_of_background = true
    };

    toy_names(&c, 6, 5);
    return c;
}

/* Groups in the 3x3, frozen norms, anchors given one by one: as ResNeXt in the ports. */
static inline struct detect_config toy_detector_grouped(void)
{
    struct detect_config c = toy_detector_caffe();
    static const float boxes[3][4] = { { -8, -8, 8, 8 }, { -11, -6, 11, 6 }, { -20, -24, 20, 24 } };

    c.anchors_caffe = c.is_exact_scale = c.attribute_of_background = false;
    c.stages[1] = (struct stage_config){ 2, 8, 16, 2, 1, false, 4 };
    c.head = (struct stage_config){ 2, 8, 24, 2, 1, false, 2 };
    c.n_anchor_boxes = 3;
    memcpy(c.anchor_boxes, boxes, sizeof boxes);
    return c;
}

/* Values large enough that every part matters, norms near one; a function of the seed and the parameter's place. */
static inline void toy_values(struct detector *d, uint64_t seed)
{
    struct rng r;

    rng_init(&r, seed, 1);
    for (int i = 0; i < d->params.n; i++) {
        const struct param *p = &d->params.at[i];
        float *v = mem_new(float, p->n);
        double fan = p->rank > 1 ? (double)p->n / (double)p->shape[0] : 0;
        for (int64_t k = 0; k < p->n; k++)
            v[k] = (float)(fan > 0 ? rng_normal(&r) * sqrt(1.5 / fan) : (p->init == INIT_ONE) + 0.2 * rng_normal(&r));
        op_upload(d->device, (float *)d->params.value.data + p->from, v, p->n * 4);
        free(v);
    }
    op_params_changed(d->device);
}

static inline struct image toy_picture(int width, int height, uint64_t seed)
{
    struct err e = { 0 };
    struct image m;
    struct rng r;

    rng_init(&r, seed, 2);
    if (image_init(&m, width, height, &e)) abort();
    for (int k = 0; k < 12; k++) { /* rectangles: neither flat nor noise */
        int x1 = (int)rng_below(&r, width), y1 = (int)rng_below(&r, height), x2 = (int)rng_below(&r, width),
            y2 = (int)rng_below(&r, height);
        uint32_t colour = rng_u32(&r);
        for (int y = y1 < y2 ? y1 : y2; y <= (y1 < y2 ? y2 : y1); y++) {
            for (int x = x1 < x2 ? x1 : x2; x <= (x1 < x2 ? x2 : x1); x++) {
                for (int c = 0; c < 3; c++)
                    m.rgb[(y * width + x) * 3 + c] = (uint8_t)((colour >> (8 * c)) + (uint32_t)(rng_u32(&r) % 16));
            }
        }
    }
    return m;
}

/* detector_run() of whole pictures. */
static inline int toy_run(struct detector *d, struct detections *out, const struct image *m, int n, struct err *e)
{
    struct view *v = mem_new(struct view, n);

    for (int i = 0; i < n; i++) view_make(&v[i], &d->config, &m[i], m[i].width, m[i].height);
    int rc = detector_run(d, out, v, n, false, e);
    for (int i = 0; i < n; i++) view_release(&v[i]);
    free(v);
    return rc;
}

/* detector_input() of a whole picture. */
static inline struct tensor toy_input(struct detector *d, const struct image *m)
{
    struct view v;

    view_make(&v, &d->config, m, m->width, m->height);
    struct tensor x = detector_input(d, &v, 1);
    view_release(&v);
    return x;
}

/* What the release's rule keeps of x, adaptive (10 to 100 regions) and fixed (36): places and confidences. */
static inline void toy_kept(struct selection kept[2], const struct detections *x, const struct detect_config *c,
                            float threshold)
{
    select_regions(&kept[0], x, c, &(struct select_opts){ 10, 100, threshold, 0.3f, false });
    select_regions(&kept[1], x, c, &(struct select_opts){ 36, 36, threshold, 0.3f, false });
}
#endif
