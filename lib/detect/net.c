/* ResNet bottlenecks (He et al. 2015) with group norm (Wu and He 2018) or folded frozen norms. */
#include "detect/net.h"
#include "core/mem.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* cardinality: the convolution's groups. */
static void layer_init(struct net *n, struct layer *l, const char *name, int in, int out, int kernel, struct conv c,
                       int cardinality, bool has_norm)
{
    char full[PARAM_NAME_MAX];
    float std = sqrtf(2.0f / (float)(out * kernel * kernel)); /* Kaiming, fan out */

    *l = (struct layer){ .in = in, .out = out, .kernel = kernel, .conv = c, .g = -1 };
    snprintf(full, sizeof full, "%s.weight", name);
    l->w = params_add(n->params, full, INIT_NORMAL, std, 4, (int64_t[]){ out, in / cardinality, kernel, kernel });
    if (has_norm) {
        snprintf(full, sizeof full, "%s.norm.weight", name);
        l->g = params_add(n->params, full, INIT_ONE, 0, 1, (int64_t[]){ out });
    }
    snprintf(full, sizeof full, has_norm ? "%s.norm.bias" : "%s.bias", name);
    l->b = params_add(n->params, full, INIT_ZERO, 0, 1, (int64_t[]){ out });
}

static void block_init(struct net *n, struct bottleneck *b, const char *name, const struct stage_config *s, int in,
                       bool is_first)
{
    char full[PARAM_NAME_MAX];
    int stride = is_first ? s->stride : 1;

    bool has_norm = n->config->groups > 0;

    *b = (struct bottleneck){ .has_shortcut = is_first && (stride > 1 || in != s->channels) };
    snprintf(full, sizeof full, "%s.conv1", name);
    layer_init(n, &b->a, full, in, s->width, 1, (struct conv){ s->stride_in_1x1 ? stride : 1, 0, 1 }, 1, has_norm);
    snprintf(full, sizeof full, "%s.conv2", name);
    layer_init(n, &b->b, full, s->width, s->width, 3,
               (struct conv){ s->stride_in_1x1 ? 1 : stride, s->dilation, s->dilation },
               s->cardinality > 1 ? s->cardinality : 1, has_norm);
    snprintf(full, sizeof full, "%s.conv3", name);
    layer_init(n, &b->c, full, s->width, s->channels, 1, (struct conv){ 1, 0, 1 }, 1, has_norm);
    snprintf(full, sizeof full, "%s.shortcut", name);
    if (b->has_shortcut)
        layer_init(n, &b->shortcut, full, in, s->channels, 1, (struct conv){ stride, 0, 1 }, 1, has_norm);
}

void net_init(struct net *n, const struct detect_config *c, struct params *p, struct scratch *s)
{
    char name[PARAM_NAME_MAX];
    int in = c->stem_channels, at = 0;

    *n = (struct net){ .config = c, .params = p, .scratch = s };
    layer_init(n, &n->stem, "stem", 3, c->stem_channels, c->stem_kernel,
               (struct conv){ c->stem_stride, c->stem_kernel / 2, 1 }, 1, c->groups > 0);
    for (int i = 0; i < c->n_stages; i++) n->n_blocks += c->stages[i].blocks;
    n->blocks = mem_new(struct bottleneck, n->n_blocks);
    for (int i = 0; i < c->n_stages; i++) {
        for (int k = 0; k < c->stages[i].blocks; k++, in = c->stages[i].channels) {
            snprintf(name, sizeof name, "res%d.%d", i + 2, k);
            block_init(n, &n->blocks[at++], name, &c->stages[i], in, k == 0);
        }
    }
    layer_init(n, &n->rpn, "rpn.conv", in, c->rpn_channels, 3, (struct conv){ 1, 1, 1 }, 1, false); /* as published */
    n->n_head = c->head.blocks;
    n->head = mem_new(struct bottleneck, n->n_head);
    for (int k = 0; k < n->n_head; k++, in = c->head.channels) {
        snprintf(name, sizeof name, "head.%d", k);
        block_init(n, &n->head[k], name, &c->head, in, k == 0);
    }
}

void net_release(struct net *n)
{
    free(n->blocks);
    free(n->head);
    *n = (struct net){ 0 };
}

static int64_t out_size(int64_t in, int kernel, struct conv c)
{
    return (in + 2 * c.pad - c.dilation * (kernel - 1) - 1) / c.stride + 1;
}

struct tensor layer_forward(struct net *n, struct layer *l, struct tensor x, bool relu)
{
    struct device *d = n->scratch->device;
    int64_t rows = out_size(x.shape[1], l->kernel, l->conv), columns = out_size(x.shape[2], l->kernel, l->conv);
    struct tensor none = { 0 }, bias = params_f32(n->params, l->b);

    l->x = x;
    l->relu = relu;
    l->z = scratch_4d(n->scratch, x.dtype, x.shape[0], rows, columns, l->out);
    op_conv_forward(d, l->z, x, params_weight(n->params, l->w), l->g < 0 ? bias : none, l->conv, relu && l->g < 0,
                    LINEAR_PARAM);
    l->y = l->z;
    if (l->g < 0) return l->y;
    l->y = scratch_4d(n->scratch, x.dtype, x.shape[0], rows, columns, l->out);
    l->stats = scratch_3d(n->scratch, DT_F32, x.shape[0], n->config->groups, 2);
    op_group_norm_forward(d, l->y, l->stats, l->z, params_f32(n->params, l->g), bias, n->config->groups, NORM_EPS,
                          relu);
    return l->y;
}

/* dy is overwritten. */
struct tensor layer_backward(struct net *n, struct layer *l, struct tensor dy, bool wants_dx)
{
    struct device *d = n->scratch->device;
    struct tensor dx = { 0 }, none = { 0 }, dbias = params_grad(n->params, l->b);

    if (l->g >= 0)
        op_group_norm_backward(d, dy, params_grad(n->params, l->g), dbias, dy, l->y, l->z, l->stats,
                               params_f32(n->params, l->g), n->config->groups, l->relu);
    else if (l->relu) op_relu_backward(d, dy, dy, l->y);
    op_conv_backward_weight(d, params_grad(n->params, l->w), l->g < 0 ? dbias : none, dy, l->x, l->conv);
    if (!wants_dx) return dx;
    dx = scratch_4d(n->scratch, l->x.dtype, l->x.shape[0], l->x.shape[1], l->x.shape[2], l->x.shape[3]);
    op_conv_backward_input(d, dx, dy, params_weight(n->params, l->w), l->conv, LINEAR_PARAM);
    return dx;
}

static struct tensor block_forward(struct net *n, struct bottleneck *b, struct tensor x)
{
    struct device *d = n->scratch->device;

    b->x = x;
    struct tensor y = layer_forward(n, &b->c, layer_forward(n, &b->b, layer_forward(n, &b->a, x, true), true), false);
    struct tensor s = b->has_shortcut ? layer_forward(n, &b->shortcut, x, false) : x;
    b->y = scratch_4d(n->scratch, x.dtype, y.shape[0], y.shape[1], y.shape[2], y.shape[3]);
    op_add(d, b->y, y, s);
    op_relu_forward(d, b->y, b->y);
    return b->y;
}

static struct tensor block_backward(struct net *n, struct bottleneck *b, struct tensor dy)
{
    struct device *d = n->scratch->device;

    op_relu_backward(d, dy, dy, b->y);
    struct tensor branch = scratch_zeros(n->scratch, dy);
    op_axpy(d, branch, dy, 1);
    struct tensor dx =
        layer_backward(n, &b->a, layer_backward(n, &b->b, layer_backward(n, &b->c, branch, true), true), true);
    op_add(d, dx, dx, b->has_shortcut ? layer_backward(n, &b->shortcut, dy, true) : dy);
    return dx;
}

int64_t net_pooled_size(const struct detect_config *c, int64_t in)
{
    int64_t room = in + 2 * c->pool_pad - c->pool_kernel,
            out = (c->pool_ceil ? room + c->pool_stride - 1 : room) / c->pool_stride + 1;

    if ((out - 1) * c->pool_stride >= in + c->pool_pad) out--; /* the last window starts inside */
    return out;
}

struct tensor net_features(struct net *n, struct tensor input)
{
    const struct detect_config *c = n->config;
    struct tensor x = layer_forward(n, &n->stem, input, true);

    if (c->pool_kernel) {
        n->pooled = scratch_4d(n->scratch, x.dtype, x.shape[0], net_pooled_size(c, x.shape[1]),
                               net_pooled_size(c, x.shape[2]), x.shape[3]);
        n->pool_arg = n->pooled;
        n->pool_arg = scratch_4d(n->scratch, DT_I32, n->pooled.shape[0], n->pooled.shape[1], n->pooled.shape[2],
                                 n->pooled.shape[3]);
        op_max_pool_forward(n->scratch->device, n->pooled, n->pool_arg, x, c->pool_kernel, c->pool_stride, c->pool_pad);
        x = n->pooled;
    }
    for (int i = 0; i < n->n_blocks; i++) x = block_forward(n, &n->blocks[i], x);
    return x;
}

void net_features_backward(struct net *n, struct tensor dy)
{
    for (int i = n->n_blocks - 1; i >= 0; i--) dy = block_backward(n, &n->blocks[i], dy);
    const struct detect_config *c = n->config;
    if (c->pool_kernel) {
        struct tensor dx = scratch_zeros(n->scratch, n->stem.y);
        op_max_pool_backward(n->scratch->device, dx, dy, n->pool_arg, c->pool_kernel, c->pool_stride, c->pool_pad);
        dy = dx;
    }
    layer_backward(n, &n->stem, dy, false);
}

struct tensor net_head(struct net *n, struct tensor x)
{
    for (int i = 0; i < n->n_head; i++) x = block_forward(n, &n->head[i], x);
    return x;
}

struct tensor net_head_backward(struct net *n, struct tensor dy)
{
    for (int i = n->n_head - 1; i >= 0; i--) dy = block_backward(n, &n->head[i], dy);
    return dy;
}
