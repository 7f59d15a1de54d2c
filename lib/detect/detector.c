#include "detect/detector.h"
#include "core/file.h"
#include "core/mem.h"
#include "detect/infer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Second-stage deltas are trained scaled (Faster R-CNN's published code). */
static const float delta_scale[4] = { 0.1f, 0.1f, 0.2f, 0.2f };

int detector_feature_size(const struct detector *d)
{
    return d->config.head.channels;
}

static int box_outputs(const struct detect_config *c)
{
    return 4 * (c->boxes_per_class ? c->classes.n : 1);
}

static void add_outputs(struct detector *d)
{
    const struct detect_config *c = &d->config;
    struct params *p = &d->params;
    int feature = c->head.channels, anchors = detect_anchors(c), hidden = c->attribute_hidden;

    d->objectness =
        params_add(p, "rpn.objectness.weight", INIT_NORMAL, 0.01f, 4, (int64_t[]){ anchors, c->rpn_channels, 1, 1 });
    d->objectness_bias = params_add(p, "rpn.objectness.bias", INIT_ZERO, 0, 1, (int64_t[]){ anchors });
    d->deltas =
        params_add(p, "rpn.deltas.weight", INIT_NORMAL, 0.01f, 4, (int64_t[]){ 4 * anchors, c->rpn_channels, 1, 1 });
    d->deltas_bias = params_add(p, "rpn.deltas.bias", INIT_ZERO, 0, 1, (int64_t[]){ 4 * anchors });
    d->cls = params_add(p, "predict.class.weight", INIT_NORMAL, 0.01f, 2, (int64_t[]){ c->classes.n, feature });
    d->cls_bias = params_add(p, "predict.class.bias", INIT_ZERO, 0, 1, (int64_t[]){ c->classes.n });
    d->box = params_add(p, "predict.box.weight", INIT_NORMAL, 0.001f, 2, (int64_t[]){ box_outputs(c), feature });
    d->box_bias = params_add(p, "predict.box.bias", INIT_ZERO, 0, 1, (int64_t[]){ box_outputs(c) });
    d->attribute = -1;
    if (!hidden) return;
    /* fc([feature; embedding of the class]) split in two: a table with one hidden vector per class is the embedding's
     * part */
    d->attribute_feature =
        params_add(p, "predict.attribute.feature.weight", INIT_NORMAL, 0.05f, 2, (int64_t[]){ hidden, feature });
    d->attribute_class =
        params_add(p, "predict.attribute.class.weight", INIT_NORMAL, 0.05f, 2, (int64_t[]){ c->classes.n, hidden });
    d->attribute_bias = params_add(p, "predict.attribute.feature.bias", INIT_ZERO, 0, 1, (int64_t[]){ hidden });
    d->attribute =
        params_add(p, "predict.attribute.weight", INIT_NORMAL, 0.01f, 2, (int64_t[]){ c->attributes.n, hidden });
    d->attribute_out_bias = params_add(p, "predict.attribute.bias", INIT_ZERO, 0, 1, (int64_t[]){ c->attributes.n });
}

void detector_build(struct detector *d, struct device *device, enum dtype compute, bool training)
{
    d->device = device;
    scratch_init(&d->scratch, device);
    net_init(&d->net, &d->config, &d->params, &d->scratch);
    add_outputs(d);
    params_build(&d->params, device, compute, training);
}

int detector_load(struct detector *d, const char *dir, struct device *device, enum dtype compute, struct err *e)
{
    char *config = path_join(dir, "config.json"), *model = path_join(dir, "model.safetensors");
    struct safetensors s;
    int rc;

    *d = (struct detector){ 0 };
    rc = detect_config_load(&d->config, config, e);
    if (!rc && !(rc = safetensors_open(&s, model, e))) {
        detector_build(d, device, compute, false);
        rc = params_load(&d->params, &s, NULL, NULL, true, NULL, e);
        if (rc) err_in(e, "%s", model);
        safetensors_close(&s);
    }
    if (rc) detector_release(d);
    free(config);
    free(model);
    return rc;
}

const char *const detector_files[] = { "config.json", "model.safetensors", NULL };

int detector_save(const struct detector *d, const char *dir, struct err *e)
{
    char *config = path_join(dir, "config.json"), *model = path_join(dir, "model.safetensors");
    struct value *v = detect_config_print(&d->config);
    int rc = value_save(v, config, e);

    if (!rc) rc = params_save(&d->params, model, true, e);
    value_free(v);
    free(config);
    free(model);
    return rc;
}

void detector_release(struct detector *d)
{
    net_release(&d->net);
    if (d->device) scratch_release(&d->scratch);
    if (d->device) params_release(&d->params);
    detect_config_release(&d->config);
    *d = (struct detector){ 0 };
}

struct tensor detector_input(struct detector *d, const struct view *views, int n)
{
    int w = views[0].input_width, h = views[0].input_height;
    int64_t each = 3LL * h * w;
    struct tensor x = scratch_4d(&d->scratch, DT_F32, n, h, w, 3);

    for (int i = 0; i < n; i++)
        op_upload(d->device, (float *)x.data + i * each, views[i].pixels, each * (int64_t)sizeof(float));
    if (d->params.compute == DT_F32) return x;
    struct tensor half = scratch_4d(&d->scratch, DT_BF16, n, h, w, 3);
    op_convert(d->device, half, x);
    return half;
}

struct rpn_output detector_rpn(struct detector *d, struct tensor features)
{
    const struct conv one = { 1, 0, 1 };
    int anchors = detect_anchors(&d->config);
    int64_t b = features.shape[0], y = features.shape[1], x = features.shape[2];
    struct rpn_output r = { .hidden = layer_forward(&d->net, &d->net.rpn, features, true) };

    r.objectness = scratch_4d(&d->scratch, DT_F32, b, y, x, anchors);
    r.deltas = scratch_4d(&d->scratch, DT_F32, b, y, x, 4 * anchors);
    op_conv_forward(d->device, r.objectness, r.hidden, params_weight(&d->params, d->objectness),
                    params_f32(&d->params, d->objectness_bias), one, false, LINEAR_PARAM);
    op_conv_forward(d->device, r.deltas, r.hidden, params_weight(&d->params, d->deltas),
                    params_f32(&d->params, d->deltas_bias), one, false, LINEAR_PARAM);
    return r;
}

static bool is_large(const struct detector *d, struct box b, const float scale[2])
{
    const struct detect_config *c = &d->config;
    float extra = c->anchors_caffe ? 1 : 0, x = c->min_side_of_picture ? scale[0] : 1,
          y = c->min_side_of_picture ? scale[1] : 1;

    return b.x2 - b.x1 + extra >= c->min_side * x && b.y2 - b.y1 + extra >= c->min_side * y;
}

int64_t detector_proposals(const struct detector *d, struct box *out, const float *scores, const float *deltas,
                           const struct box *anchors, int64_t n, const struct proposal_opts *o)
{
    float extra = d->config.anchors_caffe ? 1 : 0;
    int64_t *order = mem_new(int64_t, n), *keep = mem_new(int64_t, o->most), taken = 0;
    struct box *boxes = mem_new(struct box, n);
    int64_t best = order_by_score(order, scores, n, d->config.anchors_caffe ? 0 : o->pre);

    for (int64_t i = 0; i < best && (taken < o->pre || o->pre <= 0); i++) {
        int64_t k = order[i];
        boxes[k] = box_clip(box_decode(deltas + 4 * k, anchors[k], extra), o->width, o->height, extra);
        if (is_large(d, boxes[k], o->scale)) order[taken++] = k;
    }
    int64_t kept = nms(keep, boxes, order, taken, d->config.rpn_nms, o->most, extra);
    for (int64_t i = 0; i < kept; i++) out[i] = boxes[keep[i]];
    free(order);
    free(keep);
    free(boxes);
    return kept;
}

/* A tensor's values on the host, in a fresh array. */
static float *fetch(struct detector *d, struct tensor x)
{
    float *host = mem_new(float, x.n);

    op_download(d->device, host, x.data, tensor_bytes(x));
    return host;
}

static void softmax_rows(float *x, int64_t rows, int64_t width)
{
    for (int64_t r = 0; r < rows; r++, x += width) {
        float max = x[0], sum = 0;
        for (int64_t i = 1; i < width; i++) max = fmaxf(max, x[i]);
        for (int64_t i = 0; i < width; i++) sum += x[i] = expf(x[i] - max);
        for (int64_t i = 0; i < width; i++) x[i] /= sum;
    }
}

/* The rows' most likely classes among those from `first` on: 1 leaves the background out. */
static void likely_classes(int32_t *out, const float *probs, int64_t rows, int classes, int first)
{
    for (int64_t r = 0; r < rows; r++) {
        int best = first;
        for (int k = first + 1; k < classes; k++) {
            if (probs[r * classes + k] > probs[r * classes + best]) best = k;
        }
        out[r] = best;
    }
}

static float *run_attributes(struct detector *d, struct tensor pooled, const int32_t *classes)
{
    int64_t rows = pooled.shape[0], hidden = d->config.attribute_hidden, n = d->config.attributes.n;
    struct tensor h = scratch_2d(&d->scratch, pooled.dtype, rows, hidden),
                  out = scratch_2d(&d->scratch, DT_F32, rows, n);
    struct tensor index = scratch_upload(&d->scratch, tensor_1d((void *)(uintptr_t)classes, DT_I32, rows));

    op_linear_forward(d->device, h, pooled, params_weight(&d->params, d->attribute_feature),
                      params_f32(&d->params, d->attribute_bias), LINEAR_PARAM);
    op_gather_rows(d->device, h, params_f32(&d->params, d->attribute_class), index, true);
    op_relu_forward(d->device, h, h);
    op_linear_forward(d->device, out, h, params_weight(&d->params, d->attribute),
                      params_f32(&d->params, d->attribute_out_bias), LINEAR_PARAM);
    float *probs = fetch(d, out);
    softmax_rows(probs, rows, n);
    return probs;
}

/* A box of the input in the picture's own pixels. */
static struct box in_picture(struct box b, const float scale[2], const struct detections *x, float extra)
{
    b = (struct box){ b.x1 / scale[0], b.y1 / scale[1], b.x2 / scale[0], b.y2 / scale[1] };
    return box_clip(b, (float)x->width, (float)x->height, extra);
}

/* The head's mean for each region, in pieces that bound its memory. */
static struct tensor run_head(struct detector *d, struct tensor features, const float *rois, int64_t rows)
{
    const struct detect_config *c = &d->config;
    int64_t each = infer_head_rows(&d->net);
    float step = 1 / (float)detect_stride(c);
    struct tensor none = { 0 }, means = scratch_2d(&d->scratch, features.dtype, rows, c->head.channels);

    for (int64_t from = 0; from < rows; from += each) {
        int64_t n = rows - from < each ? rows - from : each, mark = scratch_mark(&d->scratch);
        struct tensor r = scratch_upload(&d->scratch, tensor_2d((void *)(uintptr_t)(rois + 5 * from), DT_F32, n, 5));
        struct tensor pooled = scratch_4d(&d->scratch, features.dtype, n, c->roi_size, c->roi_size, features.shape[3]);
        if (c->roi_align) op_roi_align_forward(d->device, pooled, features, r, step, c->roi_samples);
        else op_roi_pool_forward(d->device, pooled, none, features, r, step);
        infer_head(&d->net, tensor_rows(means, from, n), pooled);
        scratch_back_to(&d->scratch, mark);
    }
    return means;
}

/* What the second stage says of all regions of a batch, on the host. */
struct second_stage {
    float *probs, *deltas, *features, *attributes; /* attributes NULL: the detector knows none */
    int32_t *classes;                              /* most likely but for the background */
};

static void run_second_stage(struct detector *d, struct second_stage *s, struct tensor means, int64_t rows)
{
    const struct detect_config *c = &d->config;
    struct tensor logits = scratch_2d(&d->scratch, DT_F32, rows, c->classes.n),
                  deltas = scratch_2d(&d->scratch, DT_F32, rows, box_outputs(c)),
                  wide = scratch_2d(&d->scratch, DT_F32, rows, c->head.channels);

    op_convert(d->device, wide, means);
    op_linear_forward(d->device, logits, means, params_weight(&d->params, d->cls), params_f32(&d->params, d->cls_bias),
                      LINEAR_PARAM);
    op_linear_forward(d->device, deltas, means, params_weight(&d->params, d->box), params_f32(&d->params, d->box_bias),
                      LINEAR_PARAM);
    *s = (struct second_stage){ fetch(d, logits), fetch(d, deltas), fetch(d, wide), NULL, mem_new(int32_t, rows + 1) };
    softmax_rows(s->probs, rows, c->classes.n);
    likely_classes(s->classes, s->probs, rows, c->classes.n, c->attribute_of_background ? 0 : 1);
    if (d->attribute >= 0) s->attributes = run_attributes(d, means, s->classes);
    if (c->attribute_of_background) likely_classes(s->classes, s->probs, rows, c->classes.n, 1);
}

static void second_stage_release(struct second_stage *s)
{
    free(s->probs);
    free(s->deltas);
    free(s->features);
    free(s->attributes);
    free(s->classes);
}

static float *rows_of(const float *all, int64_t from, int64_t n, int64_t width)
{
    float *own = mem_new(float, n *width + 1);

    memcpy(own, all + from * width, (size_t)(n * width) * sizeof *own);
    return own;
}

/* Proposal b, of row `row`, as the second stage refines it for a class, in the picture's pixels. */
static struct box refined_box(const struct detector *d, const struct detections *x, const struct second_stage *s,
                              int64_t row, struct box b, int class_of, const float scale[2])
{
    const struct detect_config *c = &d->config;
    const float *o = s->deltas + row * box_outputs(c) + (c->boxes_per_class ? 4 * class_of : 0);
    const float delta[4] = { o[0] * delta_scale[0], o[1] * delta_scale[1], o[2] * delta_scale[2],
                             o[3] * delta_scale[3] };
    float extra = c->anchors_caffe ? 1 : 0;

    return in_picture(box_decode(delta, b, extra), scale, x, extra);
}

/* One picture's rows of what the second stage said, from `row` on; boxes move into the picture's pixels. */
static void take_rows(const struct detector *d, struct detections *x, const struct second_stage *s, int64_t row,
                      const float scale[2], bool wants_class_boxes)
{
    const struct detect_config *c = &d->config;
    int classes = c->classes.n;

    x->probs = rows_of(s->probs, row, x->n, c->classes.n);
    x->features = rows_of(s->features, row, x->n, c->head.channels);
    if (s->attributes) x->attribute_probs = rows_of(s->attributes, row, x->n, c->attributes.n);
    x->refined = mem_new(struct box, x->n);
    if (wants_class_boxes) x->class_boxes = mem_new(struct box, x->n * classes);
    for (int64_t k = 0; k < x->n; k++) {
        struct box b = x->proposals[k];
        x->refined[k] = refined_box(d, x, s, row + k, b, s->classes[row + k], scale);
        x->proposals[k] = in_picture(b, scale, x, 0); /* clipped already, but in rounded input pixels */
        if (!wants_class_boxes) continue;
        x->class_boxes[k * classes] = x->proposals[k];
        for (int i = 1; i < classes; i++) x->class_boxes[k * classes + i] = refined_box(d, x, s, row + k, b, i, scale);
    }
}

/* What RoIAlign is to pool for a box: moved by half a cell where its half pixel is not wanted. */
static struct box pooled_box(const struct detect_config *c, struct box b)
{
    float cell = (float)detect_stride(c), half = cell / 2;

    if (!c->roi_align || !c->roi_unaligned) return b;
    return (struct box){ b.x1 + half, b.y1 + half, half + fmaxf(b.x2, b.x1 + cell), half + fmaxf(b.y2, b.y1 + cell) };
}

/* Proposals of each picture into out, and the regions of all as rois[rows][5]: picture, corners in input pixels. */
static int64_t first_stage(struct detector *d, struct detections *out, const struct view *views, int n,
                           struct tensor features, float **rois)
{
    struct rpn_output rpn = detector_rpn(d, features);
    float *scores = fetch(d, rpn.objectness), *deltas = fetch(d, rpn.deltas);
    int64_t anchors = rpn.objectness.n / n, rows = 0, cap = 0;
    struct box *at = mem_new(struct box, anchors);

    anchors_make(at, &d->config, (int)features.shape[1], (int)features.shape[2]);
    for (int i = 0; i < n; i++) {
        const struct view *v = &views[i];
        const struct proposal_opts o = { (float)v->input_width,
                                         (float)v->input_height,
                                         { v->scale[0], v->scale[1] },
                                         d->config.pre_nms,
                                         d->config.post_nms };
        out[i] =
            (struct detections){ .width = v->width, .height = v->height, .proposals = mem_new(struct box, o.most) };
        out[i].n =
            detector_proposals(d, out[i].proposals, scores + i * anchors, deltas + 4 * i * anchors, at, anchors, &o);
        mem_reserve(rois, &cap, 5 * (rows + out[i].n));
        for (int64_t k = 0; k < out[i].n; k++, rows++) {
            struct box b = pooled_box(&d->config, out[i].proposals[k]);
            memcpy(*rois + 5 * rows, (float[]){ (float)i, b.x1, b.y1, b.x2, b.y2 }, 5 * sizeof(float));
        }
    }
    free(scores);
    free(deltas);
    free(at);
    return rows;
}

int detector_run(struct detector *d, struct detections *out, const struct view *views, int n, bool wants_class_boxes,
                 struct err *e)
{
    struct second_stage s;
    float *rois = NULL;

    scratch_reset(&d->scratch);
    struct tensor features = infer_features(&d->net, detector_input(d, views, n));
    int64_t rows = first_stage(d, out, views, n, features, &rois), row = 0;
    run_second_stage(d, &s, run_head(d, features, rois, rows), rows);
    for (int i = 0; i < n; row += out[i++].n) take_rows(d, &out[i], &s, row, views[i].scale, wants_class_boxes);
    second_stage_release(&s);
    free(rois);
    int rc = device_check(d->device, e);
    for (int i = 0; i < n && rc; i++) detections_release(&out[i]);
    return rc;
}

void detections_release(struct detections *x)
{
    free(x->proposals);
    free(x->refined);
    free(x->class_boxes);
    free(x->probs);
    free(x->attribute_probs);
    free(x->features);
    *x = (struct detections){ 0 };
}
