/* One training step of both stages at once (approximate joint training, Faster R-CNN section 3.2): gradients do not
 * flow through the proposals' coordinates. */
#include "core/mem.h"
#include "detect/targets.h"
#include "detect/train.h"
#include <stdlib.h>
#include <string.h>

enum { RPN_SAMPLE = 128, REGION_SAMPLE = 32, TRAIN_PRE_NMS = 600, TRAIN_POST_NMS = 100 };
#define ATTRIBUTE_WEIGHT 0.5f

/* A host array uploaded and freed. */
static struct tensor upload(struct detector *d, struct tensor host)
{
    struct tensor x = scratch_upload(&d->scratch, host);

    free(host.data);
    return x;
}

/* F32 gradients in the type that products want. */
static struct tensor narrow(struct detector *d, struct tensor x)
{
    struct tensor y = x;

    if (d->params.compute == DT_F32) return x;
    y.dtype = DT_BF16;
    y = scratch_zeros(&d->scratch, y);
    op_convert(d->device, y, x);
    return y;
}

/* Sum of a loss vector, fetched at the end of the step; rows: how many it is the sum of. */
struct pending {
    struct tensor sum;
    int rows;
};

static struct tensor summed(struct detector *d, struct tensor loss)
{
    struct tensor sum = scratch_1d(&d->scratch, DT_F32, 1);

    op_sum(d->device, sum, loss);
    return sum;
}

struct batch {
    int n;
    float share;           /* of the step's losses and gradients */
    float scale[2];        /* input pixels per picture pixel along x and y */
    float width, height;   /* of the input */
    struct picture *truth; /* boxes in input pixels */
};

/* Losses of the RPN and their gradient at its hidden map; adds to the outputs' parameters. */
static struct tensor rpn_losses(struct detector *d, const struct batch *b, const struct rpn_output *rpn,
                                const struct box *anchors, int64_t n, struct rng *r, struct pending out[2])
{
    const struct conv one = { 1, 0, 1 };
    float extra = d->config.anchors_caffe ? 1 : 0;
    int64_t all = n * b->n;
    float *target = mem_new(float, all), *weight = mem_new(float, all), *delta = mem_new(float, 4 * all),
          *box_weight = mem_new(float, all);
    int8_t *label = mem_new(int8_t, n);

    for (int i = 0; i < b->n; i++) {
        int sampled = rpn_targets(label, delta + 4 * n * i, anchors, n, b->truth[i].objects, b->truth[i].n, b->width,
                                  b->height, RPN_SAMPLE, extra, r);
        float share = b->share / (float)((sampled ? sampled : 1) * b->n);
        for (int64_t k = 0; k < n; k++) {
            target[i * n + k] = label[k] == 1;
            weight[i * n + k] = label[k] >= 0 ? share : 0;
            box_weight[i * n + k] = label[k] == 1 ? share : 0;
        }
    }
    free(label);
    struct tensor dscore = scratch_zeros(&d->scratch, rpn->objectness),
                  ddelta = scratch_zeros(&d->scratch, rpn->deltas);
    struct tensor loss = scratch_1d(&d->scratch, DT_F32, b->n), box_loss = scratch_1d(&d->scratch, DT_F32, all);
    op_binary_cross_entropy(d->device, loss, tensor_view2(dscore, b->n, n), tensor_view2(rpn->objectness, b->n, n),
                            upload(d, tensor_2d(target, DT_F32, b->n, n)),
                            upload(d, tensor_2d(weight, DT_F32, b->n, n)), 1);
    op_smooth_l1(d->device, box_loss, tensor_view2(ddelta, all, 4), tensor_view2(rpn->deltas, all, 4),
                 upload(d, tensor_2d(delta, DT_F32, all, 4)), upload(d, tensor_1d(box_weight, DT_F32, all)), 1 / 9.0f,
                 1);
    out[0].sum = summed(d, loss);
    out[1].sum = summed(d, box_loss);
    dscore = narrow(d, dscore);
    ddelta = narrow(d, ddelta);
    struct tensor dhidden = scratch_zeros(&d->scratch, rpn->hidden);
    op_conv_backward_weight(d->device, params_grad(&d->params, d->objectness),
                            params_grad(&d->params, d->objectness_bias), dscore, rpn->hidden, one);
    op_conv_backward_weight(d->device, params_grad(&d->params, d->deltas), params_grad(&d->params, d->deltas_bias),
                            ddelta, rpn->hidden, one);
    op_conv_backward_input(d->device, dhidden, dscore, params_weight(&d->params, d->objectness), one, LINEAR_PARAM);
    op_conv_backward_input(d->device, dhidden, ddelta, params_weight(&d->params, d->deltas), one,
                           LINEAR_PARAM | LINEAR_ADD);
    return layer_backward(&d->net, &d->net.rpn, dhidden, true);
}

/* Regions of all pictures. */
struct regions {
    int n;
    struct region_target *at;
    float *rois; /* [n][5] */
    int *image;  /* [n] */
};

static void sample_regions(struct regions *g, struct detector *d, const struct batch *b, const float *scores,
                           const float *deltas, const struct box *anchors, int64_t n, struct rng *r)
{
    struct box *proposals = mem_new(struct box, TRAIN_POST_NMS);
    int most = b->n * REGION_SAMPLE;

    *g = (struct regions){ .at = mem_new(struct region_target, most),
                           .rois = mem_new(float, 5 * most),
                           .image = mem_new(int, most) };
    for (int i = 0; i < b->n; i++) {
        const struct proposal_opts o = {
            b->width, b->height, { b->scale[0], b->scale[1] }, TRAIN_PRE_NMS, TRAIN_POST_NMS
        };
        int64_t found = detector_proposals(d, proposals, scores + i * n, deltas + 4 * i * n, anchors, n, &o);
        int taken = region_targets(g->at + g->n, proposals, found, b->truth[i].objects, b->truth[i].n, REGION_SAMPLE,
                                   d->config.anchors_caffe ? 1 : 0, r);
        for (int k = 0; k < taken; k++, g->n++) {
            struct box x = g->at[g->n].box;
            g->image[g->n] = i;
            memcpy(g->rois + 5 * g->n, (float[]){ (float)i, x.x1, x.y1, x.x2, x.y2 }, 5 * sizeof(float));
        }
    }
    free(proposals);
}

static void regions_release(struct regions *g)
{
    free(g->at);
    free(g->rois);
    free(g->image);
}

/* The attribute head on the object regions: adds its gradient to dmean's rows. */
static void attribute_loss(struct detector *d, const struct batch *b, const struct regions *g, struct tensor mean,
                           struct tensor dmean, struct pending *out)
{
    const struct params *p = &d->params;
    int names = d->config.attributes.n, hidden = d->config.attribute_hidden, objects = 0;
    int32_t *rows = mem_new(int32_t, g->n), *classes = mem_new(int32_t, g->n);
    float *target = mem_new(float, (int64_t)g->n *names);

    for (int i = 0; i < g->n; i++) {
        if (!g->at[i].class_of) continue;
        const struct annotation *a = &b->truth[g->image[i]].objects[g->at[i].object];
        rows[objects] = i;
        classes[objects] = a->class_of;
        if (!a->n_attributes) target[(int64_t)objects * names] = 1;
        for (int k = 0; k < a->n_attributes; k++)
            target[(int64_t)objects * names + a->attributes[k]] = 1 / (float)a->n_attributes;
        objects++;
    }
    struct tensor index = upload(d, tensor_1d(rows, DT_I32, objects)),
                  table = upload(d, tensor_1d(classes, DT_I32, objects));
    struct tensor goal = upload(d, tensor_2d(target, DT_F32, objects, names)),
                  loss = scratch_1d(&d->scratch, DT_F32, objects);
    struct tensor x = scratch_2d(&d->scratch, mean.dtype, objects, mean.shape[1]),
                  h = scratch_2d(&d->scratch, mean.dtype, objects, hidden);
    struct tensor logits = scratch_2d(&d->scratch, DT_F32, objects, names),
                  dx = scratch_2d(&d->scratch, mean.dtype, objects, mean.shape[1]);
    op_gather_rows(d->device, x, mean, index, false);
    op_linear_forward(d->device, h, x, params_weight(p, d->attribute_feature), params_f32(p, d->attribute_bias),
                      LINEAR_PARAM);
    op_gather_rows(d->device, h, params_f32(p, d->attribute_class), table, true);
    op_relu_forward(d->device, h, h);
    op_linear_forward(d->device, logits, h, params_weight(p, d->attribute), params_f32(p, d->attribute_out_bias),
                      LINEAR_PARAM);
    op_soft_cross_entropy(d->device, loss, logits, logits, goal,
                          ATTRIBUTE_WEIGHT * b->share / (float)(objects ? objects : 1));
    out->sum = summed(d, loss);
    struct tensor dlogits = narrow(d, logits), dh = scratch_2d(&d->scratch, mean.dtype, objects, hidden);
    op_linear_backward_weight(d->device, params_grad(p, d->attribute), params_grad(p, d->attribute_out_bias), dlogits,
                              h);
    op_linear_backward_input(d->device, dh, dlogits, params_weight(p, d->attribute), LINEAR_PARAM);
    op_relu_backward(d->device, dh, dh, h);
    op_scatter_add_rows(d->device, params_grad(p, d->attribute_class), dh, table);
    op_linear_backward_weight(d->device, params_grad(p, d->attribute_feature), params_grad(p, d->attribute_bias), dh,
                              x);
    op_linear_backward_input(d->device, dx, dh, params_weight(p, d->attribute_feature), LINEAR_PARAM);
    op_scatter_add_rows(d->device, dmean, dx, index);
    out->rows = objects;
}

/* Losses of the second stage; the gradient at the head's mean. */
static struct tensor region_losses(struct detector *d, const struct batch *b, const struct regions *g,
                                   struct tensor mean, struct pending out[3])
{
    const struct params *p = &d->params;
    int classes = d->config.classes.n, sets = d->config.boxes_per_class ? classes : 1;
    int32_t *label = mem_new(int32_t, g->n);
    float *delta = mem_new(float, (int64_t)g->n *sets * 4), *weight = mem_new(float, (int64_t)g->n *sets),
          share = b->share / (float)(g->n ? g->n : 1);

    for (int i = 0; i < g->n; i++) {
        int set = d->config.boxes_per_class ? g->at[i].class_of : 0;
        label[i] = g->at[i].class_of;
        if (!label[i]) continue;
        weight[i * sets + set] = share;
        memcpy(delta + 4 * (i * sets + set), g->at[i].delta, 4 * sizeof(float));
    }
    struct tensor logits = scratch_2d(&d->scratch, DT_F32, g->n, classes),
                  boxes = scratch_2d(&d->scratch, DT_F32, g->n, 4 * sets);
    struct tensor loss = scratch_1d(&d->scratch, DT_F32, g->n),
                  box_loss = scratch_1d(&d->scratch, DT_F32, (int64_t)g->n * sets);
    op_linear_forward(d->device, logits, mean, params_weight(p, d->cls), params_f32(p, d->cls_bias), LINEAR_PARAM);
    op_linear_forward(d->device, boxes, mean, params_weight(p, d->box), params_f32(p, d->box_bias), LINEAR_PARAM);
    op_cross_entropy(d->device, loss, logits, logits, upload(d, tensor_1d(label, DT_I32, g->n)), 0, share);
    struct tensor rows = tensor_view2(boxes, (int64_t)g->n * sets, 4);
    op_smooth_l1(d->device, box_loss, rows, rows, upload(d, tensor_2d(delta, DT_F32, rows.shape[0], 4)),
                 upload(d, tensor_1d(weight, DT_F32, rows.shape[0])), 1, 1);
    out[0].sum = summed(d, loss);
    out[1].sum = summed(d, box_loss);
    struct tensor dcls = narrow(d, logits), dbox = narrow(d, boxes),
                  dmean = scratch_2d(&d->scratch, mean.dtype, g->n, mean.shape[1]);
    op_linear_backward_weight(d->device, params_grad(p, d->cls), params_grad(p, d->cls_bias), dcls, mean);
    op_linear_backward_weight(d->device, params_grad(p, d->box), params_grad(p, d->box_bias), dbox, mean);
    op_linear_backward_input(d->device, dmean, dcls, params_weight(p, d->cls), LINEAR_PARAM);
    op_linear_backward_input(d->device, dmean, dbox, params_weight(p, d->box), LINEAR_PARAM | LINEAR_ADD);
    if (d->attribute >= 0) attribute_loss(d, b, g, mean, dmean, &out[2]);
    return dmean;
}

/* Pools the regions, runs the head forward and backward; the gradient at the feature map. */
static struct tensor regions_pass(struct detector *d, const struct batch *b, const struct regions *g,
                                  struct tensor features, struct pending out[3])
{
    int size = d->config.roi_size;
    struct tensor rois = scratch_upload(&d->scratch, tensor_2d(g->rois, DT_F32, g->n, 5));
    struct tensor pooled = scratch_4d(&d->scratch, features.dtype, g->n, size, size, features.shape[3]);
    struct tensor arg = scratch_4d(&d->scratch, DT_I32, g->n, size, size, features.shape[3]);

    op_roi_pool_forward(d->device, pooled, arg, features, rois, 1 / (float)detect_stride(&d->config));
    struct tensor head = net_head(&d->net, pooled), mean = scratch_2d(&d->scratch, features.dtype, g->n, head.shape[3]);
    op_mean_pool_forward(d->device, mean, head);
    struct tensor dmean = region_losses(d, b, g, mean, out), dhead = scratch_zeros(&d->scratch, head),
                  dfeatures = scratch_zeros(&d->scratch, features);
    op_mean_pool_backward(d->device, dhead, dmean);
    op_roi_pool_backward(d->device, dfeatures, net_head_backward(&d->net, dhead), arg, rois);
    return dfeatures;
}

/* The truth in input pixels. */
static struct picture *scaled_truth(const struct picture *truth, int n, const float scale[2])
{
    struct picture *own = mem_new(struct picture, n);

    for (int i = 0; i < n; i++) {
        own[i] = (struct picture){ .n = truth[i].n, .objects = mem_new(struct annotation, truth[i].n + 1) };
        for (int k = 0; k < truth[i].n; k++) {
            struct annotation a = truth[i].objects[k];
            a.box = (struct box){ a.box.x1 * scale[0], a.box.y1 * scale[1], a.box.x2 * scale[0], a.box.y2 * scale[1] };
            own[i].objects[k] = a;
        }
    }
    return own;
}

int detect_step(struct detector *d, const struct image *pictures, const struct picture *truth, int n, float share,
                struct rng *r, struct detect_losses *losses, struct err *e)
{
    struct batch b = { .n = n, .share = share };
    struct view *views = mem_new(struct view, n);
    struct pending out[5] = { 0 };
    struct regions g;

    scratch_reset(&d->scratch);
    for (int i = 0; i < n; i++) view_make(&views[i], &d->config, &pictures[i], pictures[i].width, pictures[i].height);
    memcpy(b.scale, views[0].scale, sizeof b.scale);
    b.width = (float)views[0].input_width;
    b.height = (float)views[0].input_height;
    b.truth = scaled_truth(truth, n, b.scale);
    struct tensor features = net_features(&d->net, detector_input(d, views, n));
    struct rpn_output rpn = detector_rpn(d, features);
    int64_t anchors = rpn.objectness.n / n;
    struct box *at = mem_new(struct box, anchors);
    float *scores = mem_new(float, rpn.objectness.n), *deltas = mem_new(float, rpn.deltas.n);
    anchors_make(at, &d->config, (int)features.shape[1], (int)features.shape[2]);
    op_download(d->device, scores, rpn.objectness.data, tensor_bytes(rpn.objectness));
    op_download(d->device, deltas, rpn.deltas.data, tensor_bytes(rpn.deltas));
    sample_regions(&g, d, &b, scores, deltas, at, anchors, r);
    struct tensor dfeatures = regions_pass(d, &b, &g, features, out + 2);
    op_add(d->device, dfeatures, dfeatures, rpn_losses(d, &b, &rpn, at, anchors, r, out));
    net_features_backward(&d->net, dfeatures);
    float sums[5] = { 0 };
    for (int i = 0; i < 5; i++) {
        if (out[i].sum.data) op_download(d->device, &sums[i], out[i].sum.data, 4);
    }
    losses->objectness = sums[0];
    losses->rpn_box = sums[1];
    losses->cls = share * sums[2] / (g.n ? g.n : 1);
    losses->box = sums[3];
    losses->attribute = share * sums[4] / (out[4].rows ? out[4].rows : 1);
    for (int i = 0; i < n; i++) {
        free(b.truth[i].objects);
        view_release(&views[i]);
    }
    free(views);
    free(b.truth);
    free(at);
    free(scores);
    free(deltas);
    regions_release(&g);
    return device_check(d->device, e);
}
